"""What does `profile-model which` do? It says whose number it is that was read."""

from __future__ import annotations

from typing import Annotated

from profiler import errors
from profiler.answers.common.models import check_runs, named_models
from profiler.answers.common.options import Argument, InputOptions, Labels, Model, Result
from profiler.answers.common.outcome import COMPARE, Context, Outcome
from profiler.answers.which.compute import Search, Which, candidates, number, search
from profiler.engine.processes.foreign_code import at_work

JOB = COMPARE


def run(
    figure: Annotated[
        str, Argument("As it was read: 4.09G, 3664M, 4,089,184,256.", name="NUMBER", may_begin_with_dash=True)
    ],
    /,
    *models: Model,
    context: Context,
    inputs: InputOptions = InputOptions(),
    labels: Labels = Labels(),
    result: Result = Result(),
) -> Outcome:
    """Which convention and input size give a number: one that was read; exit with 1 where none does.

    Example: profile-model which 4.09G resnet50
    """
    if figure.startswith("-") and not figure[1:2].isdigit():
        raise _no_such_option(figure)
    read = number(figure)
    several = named_models(models, inputs, labels.label)
    check_runs(several, "which")
    searches: list[Search] = []
    failures: list[errors.ProfileError] = []
    for model in context.with_progress(several, [model.label for model in several]):
        try:
            with at_work(model.label):
                searches.append(search(model.label, read, candidates(model.spec, model.feed)))
        except errors.ProfileError as error:
            failures.append(error)
    failures += [_nothing_matches_number(search.model, read.text) for search in searches if not search.is_met]
    return Outcome(Which(tuple(searches)) if searches else None, failures)


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_matches_number(model: str, number: str) -> errors.CheckFailed:
    hint = f"; is it {number}G or {number}M?" if number.replace(".", "").isdigit() else "; see the nearest"
    return errors.CheckFailed(f"{model}: no convention gives {number} at any input size that was tried{hint}")


def _no_such_option(word: str) -> errors.ProfileError:
    return errors.ProfileError(f"Unknown option: {word} (see profile-model which --help)")
