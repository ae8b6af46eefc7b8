"""What do other counters say, and why not the same?"""

from profiler.answers.cross_check import table  # noqa: F401  it says how the answer is shown
