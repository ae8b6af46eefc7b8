"""Are there NaN or infinite values in a file of weights?"""

from profiler.answers.values import table  # noqa: F401  it says how the answer is shown
