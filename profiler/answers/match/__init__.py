"""Does a file of weights match a model?"""

from profiler.answers.match import table  # noqa: F401  it says how the answer is shown
