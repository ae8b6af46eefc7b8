"""How large may an input be for the peak to fit a memory?"""

from profiler.answers.largest import table  # noqa: F401  it says how the answer is shown
