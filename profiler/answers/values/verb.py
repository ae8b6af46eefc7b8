"""What does `profile-model values` do? It says whether the values of a file of weights are finite."""

from __future__ import annotations

from typing import Annotated

from profiler import errors
from profiler.answers.common.options import Argument, Result
from profiler.answers.common.outcome import FILES, Context, Outcome
from profiler.answers.values.compute import CheckedFiles, CheckedValues, check_values
from profiler.sources import holds_weights_alone

JOB = FILES


def run(
    *files: Annotated[str, Argument("FILE.safetensors, FILE.pt, an index or a folder.")],
    context: Context,
    result: Result = Result(),
) -> Outcome:
    """Read the values of files of weights; exit with 1 when some are NaN or infinite.

    Example: profile-model values weights.pt
    """
    if not files:
        raise _no_file()
    for path in files:
        if not holds_weights_alone(path):
            raise _not_a_checkpoint("values", path)
    checked_files: list[CheckedValues] = []
    failures: list[errors.ProfileError] = []
    for path in context.with_progress(files, files):
        try:
            checked_files.append(check_values(path))
        except errors.ProfileError as error:
            failures.append(error)
            continue
        failure = checked_files[-1].failure()
        failures += [] if failure is None else [failure]
    return Outcome(CheckedFiles(tuple(checked_files)) if checked_files else None, failures)


# Error messages -------------------------------------------------------------------------------------------------------


def _not_a_checkpoint(option: str, spec: str) -> errors.ProfileError:
    return errors.ProfileError(f"{option} reads the values of a checkpoint, and {spec} is none; name a file of weights")


def _no_file() -> errors.ProfileError:
    return errors.ProfileError("no file of weights is given; name one, like profile-model values weights.pt")
