"""`python -m profiler`, and the entry point of the `profile-model` command."""

import sys

from profiler.cli import main as run


def main() -> None:
    """Run the command and leave with its exit status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
