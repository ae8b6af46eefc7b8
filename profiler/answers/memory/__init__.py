"""What is alive when most memory is in use?"""

from profiler.answers.memory import table  # noqa: F401  it says how the answer is shown
