"""What is public in Python? `profile`, `compare` and `Profile`, with one method or function for each question.

`run` and `run_on` are what the command, and answers that run more models, profile a model by.
"""

from profiler.api.ablating import ablate, replaced, without
from profiler.api.comparing import compare, diff, report
from profiler.api.drawing import plot
from profiler.api.measuring import sensitivity
from profiler.api.profiling import Profile, profile, run, run_on
from profiler.api.running import cross_check, generate, largest, scan
from profiler.api.scoring import score
from profiler.api.sweeping import sweep

__all__ = [
    "Profile",
    "ablate",
    "compare",
    "cross_check",
    "diff",
    "generate",
    "largest",
    "plot",
    "profile",
    "replaced",
    "report",
    "run",
    "run_on",
    "scan",
    "score",
    "sensitivity",
    "sweep",
    "without",
]
