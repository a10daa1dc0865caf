"""The command `thalweg`, also as `python -m thalweg`: the rest is imported within, so that Ctrl-C is answered."""

import sys


def main() -> None:
    """Runs the command line."""
    try:
        from thalweg.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("thalweg: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
