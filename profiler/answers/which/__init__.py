"""Whose number is it that was read?"""

from profiler.answers.which import table  # noqa: F401  it says how the answer is shown
