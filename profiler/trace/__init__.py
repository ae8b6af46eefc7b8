"""What happened? The only room that runs a model."""

from profiler.trace.run import trace
from profiler.trace.subject import Subject

__all__ = ["Subject", "trace"]
