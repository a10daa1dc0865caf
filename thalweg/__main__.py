"""The command `thalweg`, also as `python -m thalweg`: the rest is imported within, so that Ctrl-C is answered."""

import sys

from thalweg.errors import MissingPackageError


def main() -> None:
    """Runs the command line."""
    try:
        from thalweg.support.stopwatch import command

        command.begin()
        from thalweg.support.extras import need

        for package in ("duckdb", "rich", "sklearn", "skops", "typer"):
            need(package, "", "the command line")
        from thalweg.cli.main import main as run

        run()
    except MissingPackageError as error:
        print(f"thalweg: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("thalweg: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
