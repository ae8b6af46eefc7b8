"""What happened? The only room that runs a model."""

from profiler.trace.run import Subject, trace

__all__ = ["Subject", "trace"]
