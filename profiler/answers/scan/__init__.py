"""What does a model cost at each of several sizes of its input?"""

from profiler.answers.scan import table  # noqa: F401  it says how the answer is shown
