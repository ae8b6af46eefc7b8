"""What does each model of a whole zoo cost, and which of them fits? One row each, whatever fails."""

from profiler.answers.sweep import table  # noqa: F401  it says how the answer is shown
