"""How fast is this machine?"""

from profiler.answers.calibrate import table  # noqa: F401  it says how the answer is shown
