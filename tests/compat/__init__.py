"""`python -m tests.compat [VERSION...]`: does every supported torch give the same figures as the installed one?

For each version an environment is made in a temporary folder (some GB and some minutes; deleted afterwards), the models
of `models.py` are profiled in it, and everything that a profile says is held against what the interpreter that runs
this command gives, with the same release of transformers, since each writes its models in its own way.

pip is run as it is set up; `PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu` makes downloads small where that
can be reached. `docs/compat.md` has the table, and the reason for each difference.
"""
