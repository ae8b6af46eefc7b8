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
from profiler.answers.generate.limits import phase_verdicts, split
from profiler.engine.processes.foreign_code import at_work
from profiler.figures.profile import Profile
from profiler.records.conditions import BOTH


def check(file: BudgetFile, run: Run, with_progress: ProgressLoop) -> BudgetCheck:
    """Every model of the file against its limits."""
    checks = []
    for model, profile in measured(file.models, file.path.parent, run, with_progress):
        if isinstance(profile, errors.ProfileError):
            checks.append(Checked(model.label, problem=profile))
        else:
            checks.append(_checked(model, profile, file.path.parent))
    return BudgetCheck(tuple(checks))


def _checked(model: Budgeted, profile: Profile, folder: Path) -> Checked:
    """A run against its limits, and phases on devices against theirs."""
    of_run, of_phases = split(model.limits)
    told = verdicts(profile, model.label, of_run)
    if model.served is None:
        return Checked(model.label, told)
    try:
        with at_work(model.label), chdir(folder):
            phases = Request(BOTH).run(model.spec, model.feed, model.convention, model.conditions)
            generation = model.served.added(phases)
            late = tuple(phase_verdicts(generation, model.label, of_phases))
    except errors.ProfileError as error:
        return Checked(model.label, told, error)
    return Checked(model.label, (*told, *late))


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
