"""What changed between two models?"""

from profiler.answers.diff import table  # noqa: F401  it says how the answer is shown
