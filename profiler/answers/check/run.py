"""Are the models of a budget file within their limits? Each is measured; one that fails does not hide the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path

from profiler import errors
from profiler.answers.check.compute import BudgetCheck, Checked, verdicts
from profiler.answers.check.file import Budgeted, BudgetFile
from profiler.answers.common.outcome import ProgressLoop
from profiler.answers.common.varying import Run
from profiler.answers.generate.generating import Request
from profiler.engine.processes.foreign_code import at_work
from profiler.figures.profile import Profile


def check(file: BudgetFile, run: Run, with_progress: ProgressLoop) -> BudgetCheck:
    """Every model of the file against its limits."""
    checks = []
    for model, profile in measured(file.models, file.path.parent, run, with_progress):
        if isinstance(profile, errors.ProfileError):
            checks.append(Checked(model.label, problem=profile))
        else:
            checks.append(Checked(model.label, verdicts(profile, model.label, model.limits)))
    return BudgetCheck(tuple(checks))


def measured(
    models: Sequence[Budgeted], folder: Path, run: Run, with_progress: ProgressLoop
) -> Iterator[tuple[Budgeted, Profile | errors.ProfileError]]:
    """Each model with its profile, or why there is none.

    folder: where the models' files are named from. with_progress: yields the models one by one, and shows progress.
    """
    for model in with_progress(models, [model.label for model in models]):
        yield model, _measured(model, folder, run)


def _measured(model: Budgeted, folder: Path, run: Run) -> Profile | errors.ProfileError:
    try:
        with at_work(model.label), chdir(folder):
            profile = _profile(model, run).on(model.timer)
            _ = profile.times  # where it cannot run there, it is this model that fails
            return profile
    except errors.ProfileError as error:
        return error


def _profile(model: Budgeted, run: Run) -> Profile:
    if model.phase is None:
        return run(model.spec, model.feed, model.convention, model.conditions)
    return Request(model.phase).run(model.spec, model.feed, model.convention, model.conditions).first
