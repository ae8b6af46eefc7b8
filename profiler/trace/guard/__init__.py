"""Does a model come back as it was? What is kept before a run, and put back after it: a file a kind of state."""

from profiler.trace.guard.classes import Program
from profiler.trace.guard.during import in_mode, uncollected
from profiler.trace.guard.guard import Guard
from profiler.trace.guard.leftovers import cleared, forget_frames
from profiler.trace.guard.randomness import kept_random, seed

__all__ = ["Guard", "Program", "cleared", "forget_frames", "in_mode", "kept_random", "seed", "uncollected"]
