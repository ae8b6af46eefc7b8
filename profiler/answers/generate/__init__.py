"""Language models: what reading a prompt and writing each token cost, and the cache in between."""

from profiler.answers.generate import table  # noqa: F401  it says how the answer is shown
