"""What do reading a prompt and writing each token cost a language model, and the cache in between?"""

from profiler.answers.generate import scan_table, table  # noqa: F401  they say how the answers are shown
