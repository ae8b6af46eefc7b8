"""How does a paper show it? As a figure: accuracy against cost, bars, depth, memory, a scan or a roofline."""

from profiler.answers.plot import table  # noqa: F401  it says how the answer is shown
