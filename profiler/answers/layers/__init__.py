"""What does each layer of a model cost?"""

from profiler.answers.layers import table  # noqa: F401  it says how the answer is shown
