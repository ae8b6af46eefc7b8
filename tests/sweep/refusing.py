"""A program that is to do work and fails before it takes any."""

from profiler.engine.processes.child import serve


def _prepare(request: bytes) -> None:
    raise RuntimeError("never")


if __name__ == "__main__":
    serve(lambda request: request, _prepare)
