"""What does a model cost, in a page to look into? Totals, the tree of layers, memory and time, in one HTML file."""

from profiler.answers.report import table  # noqa: F401  it says how the answer is shown
