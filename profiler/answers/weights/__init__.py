"""How large are the weights in other formats?"""

from profiler.answers.weights import table  # noqa: F401  it says how the answer is shown
