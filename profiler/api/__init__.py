"""What is public in Python? `profile`, `compare` and `Profile`, with one method or function for each question.

All of it is imported from `profiler`, each name from its module when it is asked for. `run` and `run_on` of `profiling`
are what the command, and answers that run more models, profile a model by.
"""
