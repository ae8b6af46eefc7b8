"""What do several models cost, side by side?"""

from profiler.answers.models import table  # noqa: F401  it says how the answer is shown
