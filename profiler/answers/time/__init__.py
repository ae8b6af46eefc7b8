"""How long does a model take? Measured here, or predicted for another device, or a lower bound of it."""

from profiler.answers.time import table  # noqa: F401  it says how the answer is shown
