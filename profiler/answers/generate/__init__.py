"""Language models: what reading a prompt and writing each token cost, and the cache in between."""

from profiler.answers.generate import scan_table, table  # noqa: F401  they say how the answers are shown
