"""The command `thalweg`, also as `python -m thalweg`: it begins before the rest is imported, and answers to Ctrl-C."""

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
