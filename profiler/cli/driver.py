"""How is every verb run? By one driver: open the output, run, write, tell failures, return the status."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from inspect import BoundArguments
from typing import Any, TypeVar

from profiler import errors
from profiler.answers.common.limitable import TIME
from profiler.answers.common.options import (
    LimitGroup,
    OnDevice,
    OutputOptions,
    Result,
    Saved,
    Strict,
    TraceCacheOption,
)
from profiler.answers.common.outcome import Context, Outcome
from profiler.cli.progress import progress_bar, progress_line, with_progress
from profiler.cli.tracebacks import layers_of, traceback_of
from profiler.errors import printable
from profiler.records import archive
from profiler.records.files import writing
from profiler.records.times import Timer
from profiler.render import FORMATS, IN_BYTES, WITHOUT_NOTES, format_of, renderer
from profiler.render import screen as screens
from profiler.render.answer import Answer
from profiler.render.dates import minute
from profiler.render.formats import github
from profiler.render.screen import Screen
from profiler.render.shown import NOTES
from profiler.sources.trace_cache import cache
from profiler.sources.trace_cache.cache import TraceCache

G = TypeVar("G")
TEXT = "text"


def drive(name: str, verb: Any, bound: BoundArguments) -> int:
    """Run a verb with what the command line said. What is printed meanwhile, by a model's code, is no part of it."""
    bound.apply_defaults()
    result, strict, save = _group(bound, OutputOptions), _group(bound, Strict).strict, _group(bound, Saved).save
    format = _format(name, result, getattr(verb, "FORMATS", FORMATS))
    notes, timer = _notes(result, format), _timer(bound)
    kept = _trace_cache(bound)
    if save is not None:
        _check_save(save, result.output)
    is_job = format == github.NAME
    screen = screens.here() if result.output is None else None
    with writing.apart(), _without_warnings(is_shown=result.traceback):
        try:
            with writing.result(result.output, github.summary() if is_job else None) as file:
                outcome: Outcome = verb.run(*bound.args, **bound.kwargs, context=_context(timer, kept))
                if not isinstance(outcome, Outcome):  # of another package's verb
                    raise _returns_no_outcome(name, outcome)
                if outcome.answer is not None:
                    file.put(_written(outcome.answer, format, notes, _title(name, bound), screen))
        except errors.ProfileError as error:
            _trace([error], result)
            raise
        if save is not None and outcome.saved is not None:
            outcome.saved.save(save)
        failures = [*outcome.failures, *(_unknown(outcome) if strict else ())]
        _trace(failures, result)
        for remark in outcome.remarks:
            writing.say(remark)
        _tell(outcome.warnings, failures, is_job)
        _tell_of_cache(kept)
    return max((failure.status for failure in failures), default=0)


@contextmanager
def _without_warnings(is_shown: bool) -> Iterator[None]:
    """What libraries and models warn their developers of is shown where it is asked for, by `is_shown` or Python's -W.

    Filters would not do: libraries set their own.
    """
    before = warnings.showwarning
    if not (is_shown or sys.warnoptions):
        warnings.showwarning = lambda *_, **__: None
    try:
        yield
    finally:
        warnings.showwarning = before


def _group(bound: BoundArguments, cls: type[G]) -> G:
    """A verb's group of options; with the defaults, where the verb does not have that group."""
    return next((value for value in bound.arguments.values() if isinstance(value, cls)), cls())


def _trace_cache(bound: BoundArguments) -> TraceCache | None:
    """Where traces are looked up; None for a verb that has no `--no-cache` to do without."""
    options = [value for value in bound.arguments.values() if isinstance(value, TraceCacheOption)]
    return cache.here() if options and not options[0].no_cache else None


def _timer(bound: BoundArguments) -> Timer | None:
    """The device of a verb that has `--device`; raises where that is not known, or a limit on time has none."""
    on_device = next((value for value in bound.arguments.values() if isinstance(value, OnDevice)), None)
    if on_device is None:
        return None
    limits = [limit for value in bound.arguments.values() if isinstance(value, LimitGroup) for limit in value.limits]
    for limit in limits if on_device.device is None else ():
        if limit.figure.name == TIME:
            raise errors.only_with(limit.place, "--device")
    return on_device.timer


def _context(timer: Timer | None, kept: TraceCache | None) -> Context:
    """Every profile that it makes is on the device; no model is run whose trace is kept."""
    from profiler.api.profiling import Profile, run, run_on  # behind --help, which shall not wait for it

    run_here = partial(run, trace_cache=kept)
    context = Context(run_here, Profile, with_progress, progress_bar, progress_line, trace_cache=kept)
    return (
        context
        if timer is None
        else replace(context, run=run_on(timer, kept), profile=partial(Profile, timer=timer), timer=timer)
    )


def _format(verb: str, result: OutputOptions, formats: Sequence[str]) -> str:
    """Raises where the format is not known, or not one of the verb's, or cannot be written here."""
    known = dict.fromkeys((*FORMATS, *formats))
    by_file = format_of(result.output, known) if result.output and not result.format else formats[0]
    name = result.format.lower() if result.format else by_file
    written = renderer(name, known)
    if name not in formats:
        raise _is_written_as(verb, formats, name)
    if name in IN_BYTES:
        if result.output is None:
            raise _needs_file(name)
        written.check()
    return name


def _notes(result: OutputOptions, format: str) -> dict[str, str]:
    """What `--notes` says, for a format that has notes; raises where it says what cannot be."""
    notes = result.notes if isinstance(result, Result) else None
    if notes is None:
        return {}
    if notes not in NOTES:
        raise errors.no_such_choice("--notes", notes, NOTES)
    if format in WITHOUT_NOTES:
        raise _has_no_notes(format)
    return {"notes": notes}


def _written(
    answer: Answer | str, format: str, notes: Mapping[str, str], title: str, screen: Screen | None
) -> str | bytes:
    """The answer in a format, harmless; in one that has a frame around its tables, as HTML, it is a whole document."""
    if isinstance(answer, str):
        return printable(answer)
    if screen is not None and format == TEXT:
        return screens.written(answer, screen, **notes)
    written = renderer(format)
    if not hasattr(written, "whole"):
        content: str | bytes = written.answer(answer, **notes)
        return content if isinstance(content, bytes) else printable(content)
    from profiler.answers.report.compute import reported  # which knows all that a page shows

    return printable(written.whole(reported(answer), title, **notes))


def _title(name: str, bound: BoundArguments) -> str:
    """The verb and what it is about: "memory resnet34"."""
    given = [value for value in bound.args if isinstance(value, (str, tuple))]
    words = [word for value in given for word in ([value] if isinstance(value, str) else value)]
    return " ".join([name, *map(str, words)])


def _check_save(path: str, output: str | None) -> None:
    if not path.endswith(archive.SUFFIXES):
        raise _save_needs_json(path)
    if output is not None and os.path.realpath(path) == os.path.realpath(output):
        raise _one_file_for_two(path)
    writing.check_writable(path)


def _unknown(outcome: Outcome) -> list[errors.ProfileError]:
    return [_unknown_operators(p.model, p.unknown_ops) for p in outcome.profiles if p.unknown_ops]


def _trace(failures: Iterable[errors.ProfileError], result: OutputOptions) -> None:
    """With --traceback: print what led to each failure."""
    for failure in failures if result.traceback else ():
        writing.say_lines(traceback_of(failure) + layers_of(failure))


def _tell(warnings: Iterable[str], failures: Iterable[errors.ProfileError], is_job: bool) -> None:
    """Say what went wrong; where a job's page shows it, there."""
    for sentence in warnings if is_job else ():
        writing.print_result(github.annotation("warning", sentence) + "\n")
    for failure in failures:
        if is_job:
            writing.print_result(github.annotation("error", str(failure)) + "\n")
        else:
            writing.say(str(failure))


def _tell_of_cache(kept: TraceCache | None) -> None:
    """That models were not run: once for the whole command, and not where the result is."""
    if kept is None or not kept.used:
        return
    total, dates = len(kept.used) + kept.ran, sorted({minute(min(kept.used)), minute(max(kept.used))})
    which = "from the cache" if total == 1 else f"{len(kept.used):,} of {total:,} traces from the cache"
    when = f"on {dates[0]}" if len(dates) == 1 else f"between {dates[0]} and {dates[1]}"
    writing.say(f"{which}, traced {when} (--no-cache runs it again)")


# Error messages -------------------------------------------------------------------------------------------------------


def _is_written_as(verb: str, formats: Sequence[str], format: str) -> errors.ProfileError:
    suffix = renderer(formats[0]).SUFFIXES[0]
    return errors.ProfileError(
        f"{verb} is written as {' or '.join(formats)}, not as {format}; leave out the format, or name a {suffix} file"
    )


def _returns_no_outcome(verb: str, outcome: object) -> errors.ProfileError:
    return errors.ProfileError(
        f"{verb} returns {type(outcome).__name__}, and a verb has to return an Outcome; mend or remove its package"
    )


def _needs_file(format: str) -> errors.ProfileError:
    return errors.ProfileError(f"{format} is no text that a terminal shows; say where it goes, --output FILE.{format}")


def _has_no_notes(format: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--notes is about what stands under a table, and {format} is for programs; leave it out, or choose text"
    )


def _save_needs_json(path: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--save {path}: a saved model is known by its suffix; call it FILE.json or FILE.json.gz"
    )


def _one_file_for_two(path: str) -> errors.ProfileError:
    return errors.ProfileError(f"--save {path}: --output is the same file; name one for each")


def _unknown_operators(model: str, ops: Mapping[str, int]) -> errors.CheckFailed:
    calls = ", ".join(f"{op} ×{times}" for op, times in ops.items())
    return errors.CheckFailed(
        f"{model} calls operators that have no formula: {calls}; register one (docs/extending.md)"
    )
