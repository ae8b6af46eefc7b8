"""Does a model come back as it was? What is kept before a run, and put back after it: a file a kind of state."""

from profiler.engine.guard.classes import Program
from profiler.engine.guard.during import in_mode, uncollected
from profiler.engine.guard.guard import Guard
from profiler.engine.guard.leftovers import cleared, forget_frames
from profiler.engine.guard.randomness import kept_random, seed

__all__ = ["Guard", "Program", "cleared", "forget_frames", "in_mode", "kept_random", "seed", "uncollected"]
