"""What does `--help` say? Of the command, its verbs and its options' names on one screen; of a verb, all it takes."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from cyclopts import Argument, ArgumentCollection, Group

from profiler import errors
from profiler.answers.common.outcome import JOBS
from profiler.cli import verbs
from profiler.cli.declaring import app

_WIDTH = 79
EXAMPLES = (
    ("profile-model resnet34", "layer by layer, and totals"),
    ("profile-model resnet18 vit_b_16 -o table.tex", "side by side, for a paper"),
    ("profile-model resnet34 --max-size 100MB", "a check for CI"),
    ("profile-model cross-check resnet34", "against fvcore and thop"),
)
EXIT_STATUS = "Exit status: 0 fine, 1 a check failed, 2 it could not run, 130 interrupted."
_DETAILS = re.compile("[:;]")
_LIMITS = "--max-"
_INDENT = 26


@dataclass(frozen=True, slots=True)
class Help:
    """What a verb takes. groups: by heading, its arguments and options as they are written, each with its words."""

    usage: str
    paragraphs: tuple[str, ...]
    groups: Mapping[str, tuple[tuple[str, str], ...]]


def about(name: str | None) -> Help:
    """The help of one verb; None: of the main job, with all that `main` sums up."""
    groups: dict[str, tuple[tuple[str, str], ...]] = {}
    for argument in _arguments(name):
        heading, described = _heading(argument), (_written(argument), argument.parameter.help or "")
        groups[heading] = (*groups.get(heading, ()), described)
    return Help(f"{usage(name)} [OPTIONS]", tuple(_doc(name).split("\n\n")), groups)


def main() -> str:
    """Of the whole command."""
    lines = ["Usage: profile-model [VERB] MODEL... [OPTIONS]", ""]
    lines += [*textwrap.wrap(about(None).paragraphs[0], _WIDTH), ""]
    longest = max(len(example) for example, _ in EXAMPLES)
    lines += [f"  {example:{longest}}  {words}" for example, words in EXAMPLES]
    lines += ["", "Verbs (profile-model VERB --help):"]
    lines += _verbs()
    lines += ["", "Options (profile-model MODEL --help says what each does):", *_options()]
    lines += ["", f"--completion SHELL prints a script for {', '.join(verbs.SHELLS)} that completes words."]
    lines += [EXIT_STATUS]
    return "\n".join(lines) + "\n"


def of_verb(name: str | None) -> str:
    """Of one verb: what it does, an example, and each of its options with its words; None: of the main job."""
    described = about(name)
    lines = [f"Usage: {described.usage}", ""]
    for paragraph in described.paragraphs:
        lines += [*textwrap.wrap(paragraph, _WIDTH), ""]
    for heading, options in described.groups.items():
        lines += [f"{heading}:", *(line for option in options for line in _described(*option)), ""]
    return "\n".join(lines)


def usage(name: str | None) -> str:
    """A verb and what stands behind it: `profile-model diff BEFORE AFTER`."""
    command = ["profile-model"] if name is None else ["profile-model", name]
    return " ".join([*command, *(_placed(a) for a in _arguments(name) if a.index is not None)])


def option(verb: str, name: str) -> str:
    """An option of a verb as it is written: `--amp DTYPE`."""
    return next(_written(argument) for argument in _arguments(verb) if f"--{name}" in argument.names)


def by_job() -> Mapping[str, list[str]]:
    """The verbs that can be loaded, by the headings that they are listed under."""
    jobs: dict[str, list[str]] = {job: [] for job in JOBS}
    for name in verbs.names():
        with suppress(errors.ProfileError):  # it is told when it is asked for
            jobs.setdefault(verbs.module(name).JOB, []).append(name)
    return jobs


def _verbs() -> Iterator[str]:
    for job, names in by_job().items():
        for position, name in enumerate(names):
            words = textwrap.shorten(_summary(name), _WIDTH - 24, placeholder=" ...")
            yield f"  {job if position == 0 else '':9}{name:13}{words}"


def _doc(name: str | None) -> str:
    return inspect.cleandoc(verbs.module(name).run.__doc__ or "")


def _summary(name: str | None) -> str:
    """The first sentence, or what there is of it before details, which follow a colon or a semicolon."""
    return _DETAILS.split(_doc(name).partition("\n")[0])[0].removesuffix(".") + "."


def _arguments(name: str | None) -> Iterator[Argument]:
    collection: ArgumentCollection = app(name).assemble_argument_collection(parse_docstring=False)
    return (argument for argument in collection if argument.show)


def _options() -> Iterator[str]:
    """Those of the main job by name, under their headings; limits are summed up."""
    for heading, options in about(None).groups.items():
        words = [written.partition(" ")[0].rstrip(",") for written, _ in options if written.startswith("-")]
        names = dict.fromkeys(f"{_LIMITS}WHAT" if word.startswith(_LIMITS) else word for word in words)
        if names:
            short = heading.partition(":")[0]
            first, rest = f"  {short:20}", " " * 22
            yield from textwrap.wrap(
                " ".join(names), _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
            )


def _described(option: str, words: str) -> Iterator[str]:
    written, lines = f"  {option}", textwrap.wrap(words, _WIDTH - _INDENT)
    if len(written) >= _INDENT:
        yield written
        written = ""
    for first, line in zip([written, *[""] * len(lines)], lines, strict=False):
        yield f"{first:{_INDENT}}{line}"


def _written(argument: Argument) -> str:
    """`--output, -o FILE`, or the name of a place."""
    if argument.index is not None:
        return _placed(argument)
    names = ", ".join(name for name in argument.names if not name.startswith("--no-") or name == argument.name)
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
