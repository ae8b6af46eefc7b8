"""Is a model within its limits?"""

from profiler.answers.check import table  # noqa: F401  it says how the answer is shown
