"""The entry point of `thalweg`: outside the package, so that Ctrl-C is one line also while that is imported."""

import sys


def main() -> None:
    """Runs the command line."""
    try:
        from thalweg.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("thalweg: interrupted", file=sys.stderr)
        sys.exit(130)
