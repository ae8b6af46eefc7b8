"""Which traces are kept, so that a second run needs no torch, and how are they cleared away?"""

from profiler.answers.cache import table  # noqa: F401  it says how the answer is shown
