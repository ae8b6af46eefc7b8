"""Hold the models of a budget file to their limits, one after another; one that fails does not hide the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path

from profiler import errors
from profiler.answers.check.compute import BudgetCheck, Checked, verdicts
from profiler.answers.check.file import Budgeted, BudgetFile
from profiler.cli.progress import shown
from profiler.engine.processes.foreign_code import at_work
from profiler.figures.profile import Profile


def check(file: BudgetFile) -> BudgetCheck:
    """Every model of the file against its limits."""
    found = []
    for model, profile in measured(file.models, file.path.parent):
        if isinstance(profile, errors.ProfileError):
            found.append(Checked(model.label, problem=profile))
        else:
            found.append(Checked(model.label, verdicts(profile, model.label, model.limits)))
    return BudgetCheck(tuple(found))


def measured(models: Sequence[Budgeted], folder: Path) -> Iterator[tuple[Budgeted, Profile | errors.ProfileError]]:
    """Each model with its profile, or why there is none; a bar shows how far it is.

    folder: where the models' files are named from.
    """
    for model in shown(models, [model.label for model in models]):
        yield model, _measured(model, folder)


def _measured(model: Budgeted, folder: Path) -> Profile | errors.ProfileError:
    from profiler.api import profile_spec  # behind --help, which shall not wait for it

    try:
        with at_work(model.label), chdir(folder):
            return profile_spec(model.spec, model.feed, model.convention)
    except errors.ProfileError as error:
        return error
