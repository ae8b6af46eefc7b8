"""What does each part of a model cost? The model without it, or with another in its place, side by side."""

from profiler.answers.ablate import table  # noqa: F401  it says how the answer is shown
