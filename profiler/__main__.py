"""`python -m profiler`, and the entry point of the `profile-model` command."""

import gc
import sys

from profiler.cli import main as run

_COLLECT_AFTER = 200_000  # allocations; importing torch alone passes Python's default some thousand times


def main() -> None:
    """Run the command and leave with its exit status.

    The process is short and imports much that stays, which the garbage collector would look through over and over.
    """
    gc.set_threshold(_COLLECT_AFTER, 50, 100)
    sys.exit(run())


if __name__ == "__main__":
    main()
