"""How is the command started? As `profile-model`, whose entry point is here, or as `python -m profiler`."""

import sys

try:
    import gc
    import io
    import os

    from profiler.engine.processes import watching
except KeyboardInterrupt:
    sys.stderr.write("profile-model: interrupted\n")
    raise SystemExit(130) from None

_COLLECT_AFTER = 200_000  # allocations; importing torch alone passes Python's default some thousand times


def main() -> None:
    """Run the command and leave with its exit status.

    The process is short and imports much that stays, which the garbage collector would look through over and over.
    """
    try:
        _occupy_closed_descriptors()
        watching.fork()
    except KeyboardInterrupt:
        sys.stderr.write("profile-model: interrupted\n")
        sys.exit(watching.INTERRUPTED)
    _work()


def _work() -> None:
    gc.set_threshold(_COLLECT_AFTER, 50, 100)
    from profiler.cli.main import main as run
    from profiler.records.files import writing

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no "×" is no reason to fail
    if watching.board is not None:
        writing.when_muted(watching.board.mute)
    status = watching.CANNOT_RUN  # where our own code fails, with a traceback
    try:
        status = run()
    finally:
        if watching.board is not None:
            watching.board.finish(status)
    os.dup2(2, 1)  # what a model's code prints from here on is no result
    gc.freeze()  # Python would look through all that is left three times before it ends
    sys.exit(status)


def _occupy_closed_descriptors() -> None:
    """Standard streams that the shell has closed: no file that is opened later shall be taken for one."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding="utf-8")  # nowhere, by now


if __name__ == "__main__":
    main()
