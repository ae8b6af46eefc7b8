"""Which layers matter for what they cost? Gradients, importance and curvature, or each layer changed alone."""

from profiler.answers.sensitivity import table, trial_table  # noqa: F401  they say how the answers are shown
