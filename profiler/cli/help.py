"""What does `--help` say? The verbs by job and the options of the main job on one screen; of a verb, all it takes."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import suppress

from cyclopts import Argument, ArgumentCollection, Group

from profiler import errors
from profiler.answers.common.outcome import JOBS
from profiler.cli import verbs

_WIDTH = 79
_EXAMPLES = (
    ("profile-model resnet34", "layer by layer, and totals"),
    ("profile-model resnet18 vit_b_16 -o table.tex", "side by side, for a paper"),
    ("profile-model resnet34 --max-size 100MB", "a check for CI"),
    ("profile-model cross-check resnet34", "against fvcore and thop"),
)
_LIMITS = "--max-"


def main() -> str:
    """Of the whole command."""
    lines = ["Usage: profile-model MODEL... [OPTIONS]", "       profile-model VERB ... [OPTIONS]", ""]
    lines += [*textwrap.wrap(_summary(None), _WIDTH), ""]
    longest = max(len(example) for example, _ in _EXAMPLES)
    lines += [f"  {example:{longest}}  {words}" for example, words in _EXAMPLES]
    lines += ["", "Verbs (profile-model VERB --help):"]
    lines += _verbs()
    lines += ["", "Options:", *_options(list(_arguments(None)))]
    lines += [_line("--completion SHELL", f"Print a script for {', '.join(verbs.SHELLS)} that completes words.")]
    lines += ["", "Exit status: 0 fine, 1 a check failed, 2 it could not run, 130 interrupted."]
    return "\n".join(lines) + "\n"


def of_verb(name: str) -> str:
    """Of one verb: what it does, an example, and each of its options with its words."""
    arguments = list(_arguments(name))
    lines = [f"Usage: {usage(name)} [OPTIONS]", ""]
    for paragraph in _doc(name).split("\n\n"):
        lines += [*textwrap.wrap(paragraph, _WIDTH), ""]
    group = ""
    for argument in arguments:
        heading = _heading(argument)
        if heading != group:
            lines += [*([""] if group else []), f"{heading}:"]
            group = heading
        lines += _described(argument, 26)
    return "\n".join(lines) + "\n"


def usage(name: str) -> str:
    """A verb and what stands behind it: `profile-model diff BEFORE AFTER`."""
    return " ".join(["profile-model", name, *(_placed(a) for a in _arguments(name) if a.index is not None)])


def option(verb: str, name: str) -> str:
    """An option of a verb as it is written: `--amp DTYPE`."""
    return next(_written(argument) for argument in _arguments(verb) if f"--{name}" in argument.names)


def _verbs() -> Iterator[str]:
    by_job: dict[str, list[str]] = {job: [] for job in JOBS}
    for name in verbs.names():
        with suppress(errors.ProfileError):  # it is told when it is asked for
            by_job.setdefault(verbs.module(name).JOB, []).append(name)
    for job, names in by_job.items():
        for position, name in enumerate(names):
            words = textwrap.shorten(_summary(name), _WIDTH - 24, placeholder=" ...")
            yield f"  {job if position == 0 else '':9}{name:13}{words}"


def _doc(name: str | None) -> str:
    return inspect.cleandoc(verbs.module(name).run.__doc__ or "")


def _summary(name: str | None) -> str:
    """Its first sentence or what there is of it, up to a colon."""
    return _doc(name).partition("\n")[0]


def _arguments(name: str | None) -> Iterator[Argument]:
    collection: ArgumentCollection = verbs.app(name).assemble_argument_collection(parse_docstring=False)
    return (argument for argument in collection if argument.show)


def _options(arguments: list[Argument]) -> Iterator[str]:
    """A line for each option of the main job, and one for all limits."""
    limits = [argument.name for argument in arguments if argument.name.startswith(_LIMITS)]
    for argument in arguments:
        if argument.index is not None:
            continue
        if argument.name not in limits:
            yield _line(_written(argument), argument.parameter.help or "")
        elif argument.name == limits[0]:
            names = ", ".join(name.removeprefix(_LIMITS) for name in limits)
            yield _line(f"{_LIMITS}WHAT LIMIT", names)


def _line(name: str, words: str) -> str:
    shown = textwrap.shorten(words, _WIDTH - 24, placeholder=" ...")
    return f"  {name:22}{shown}"


def _described(argument: Argument, indent: int) -> Iterator[str]:
    written = f"  {_written(argument)}"
    words = textwrap.wrap(argument.parameter.help or "", _WIDTH - indent)
    if len(written) >= indent:
        yield written
        written = ""
    for first, line in zip([written, *[""] * len(words)], words, strict=False):
        yield f"{first:{indent}}{line}"


def _written(argument: Argument) -> str:
    """`--output, -o FILE`, or the name of a place."""
    if argument.index is not None:
        return _placed(argument)
    names = ", ".join(name for name in argument.names if not name.startswith("--no-") or name == "--no-input")
    return names if argument.hint is bool else f"{names} {argument.parameter.metavar or 'TEXT'}"


def _placed(argument: Argument) -> str:
    name = argument.parameter.metavar or argument.name.lstrip("-").upper()
    if argument.field_info.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"[{name}...]"
    return name if argument.required else f"[{name}]"


def _heading(argument: Argument) -> str:
    if argument.index is not None:
        return "Arguments"
    groups = argument.parameter.group
    names = [group.name for group in groups if isinstance(group, Group)] if isinstance(groups, tuple) else []
    return names[-1].replace("Parameters", "Options") if names else "Options"
