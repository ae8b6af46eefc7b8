"""`python -m profiler`, and the entry point of the `profile-model` command."""

import gc
import io
import sys

from profiler.cli import main as run

_COLLECT_AFTER = 200_000  # allocations; importing torch alone passes Python's default some thousand times


def main() -> None:
    """Run the command and leave with its exit status.

    The process is short and imports much that stays, which the garbage collector would look through over and over.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no "×" is no reason to fail
    gc.set_threshold(_COLLECT_AFTER, 50, 100)
    sys.exit(run())


if __name__ == "__main__":
    main()
