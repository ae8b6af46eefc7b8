"""Which models, with which limits? `profile-model.toml`, or `[tool.profile-model]` in a project's `pyproject.toml`.

    [[models]]
    model = "resnet34"
    max-params = "25M"
    max-size = "100MB"

Every key that is not known is refused, with its line. Files of models are named from the budget file's folder, so that
a check means the same wherever in the project it is started.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.answers.check.compute import Limit, limit
from profiler.answers.check.figures import FIGURES
from profiler.counters import conventions
from profiler.records import inputs
from profiler.records.files import toml_files, toml_lines
from profiler.records.quantities import MOST_THINGS
from profiler.records.spec import Feed
from profiler.render.tables import Unit

NAME, PROJECT = "profile-model.toml", "pyproject.toml"
SUFFIX = ".toml"
_TOOL = ("tool", "profile-model")
_FIGURES = {figure.key: name for name, figure in FIGURES.items()}
_SIZES = {name for name, figure in FIGURES.items() if figure.unit is Unit.BYTES}


@dataclass(frozen=True, slots=True)
class Budgeted:
    """A model of the file: what it is, what it is fed, in whose convention its FLOPs are, and its limits.

    line: of its key `model`; 0 where it is not in the file yet.
    """

    spec: str
    label: str
    feed: Feed
    convention: str
    limits: tuple[Limit, ...]
    line: int


@dataclass(frozen=True, slots=True)
class BudgetFile:
    """A file that was read. `header` is how a model's table begins in it, `[[models]]`."""

    path: Path
    text: str
    header: str
    models: tuple[Budgeted, ...]

    def place(self, line: int) -> str:
        return f"{shown(self.path)}:{line}"


def limited(path: str | None) -> BudgetFile:
    """The file at `path`, or the nearest one; raises `BadBudgetFile` where a model of it has no limit."""
    file = read(Path(path)) if path else nearest()
    if file is None:
        raise errors.NoBudgetFile(os.getcwd())
    if not file.models:
        why = f'it names no model; add {file.header} and under it model = "resnet34" and max-params = "25M"'
        raise errors.BadBudgetFile(shown(file.path), None, why)
    for model in file.models:
        if not model.limits:
            why = f'no limit for {model.label!r}; add one, like max-params = "25M", or run profile-model check --init'
            raise errors.BadBudgetFile(shown(file.path), model.line, why)
    return file


def nearest() -> BudgetFile | None:
    """The budget file of the current folder or of the nearest one above it."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / NAME).is_file():
            return read(folder / NAME)
        project = folder / PROJECT
        if project.is_file() and _has(_load(_text(project), project), _TOOL):
            return read(project)
    return None


def read(path: Path) -> BudgetFile:
    """Read a budget file; raises `BadBudgetFile`."""
    text = _text(path)
    return parsed(text, path)


def parsed(text: str, path: Path) -> BudgetFile:
    """What a budget file says that stands, or would stand, at `path`; raises `BadBudgetFile`."""
    at = _TOOL if path.name == PROJECT else ()
    data = _load(text, path)
    if not _has(data, at):
        raise errors.BadBudgetFile(shown(path), None, f"it has no [{'.'.join(at)}]; add [[{'.'.join(at)}.models]]")
    for name in at:
        data = data[name]
    header = f"[[{'.'.join((*at, 'models'))}]]"
    reader = _Reader(shown(path), at, toml_lines.lines(text), header)
    return BudgetFile(path, text, header, tuple(reader.models(data)))


def shown(path: Path) -> str:
    """As it is found from the current folder."""
    return os.path.relpath(path)


def _text(path: Path) -> str:
    try:
        return toml_files.text(path)
    except OSError as error:
        raise _no_such_budget_file(shown(path), error) from None
    except errors.Malformed as error:
        raise errors.BadBudgetFile(shown(path), None, str(error)) from None


def _load(text: str, path: Path) -> dict[str, Any]:
    try:
        return toml_files.parsed(text)
    except errors.Malformed as error:
        raise errors.BadBudgetFile(shown(path), error.line, str(error)) from None


def _has(data: Any, at: tuple[str, ...]) -> bool:
    for name in at:
        data = data.get(name) if isinstance(data, dict) else None
    return isinstance(data, dict)


# What each key holds --------------------------------------------------------------------------------------------------


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and bool(value) and all(map(_is_text, value)))


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 < value <= MOST_THINGS


_KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_is_text, "a text"),
    "label": (_is_text, "a text"),
    "input": (_is_texts, "a text or a list of texts"),
    "batch": (_is_whole, f"a whole number from 1 to {MOST_THINGS:,}"),
    "seq": (_is_whole, f"a whole number from 1 to {MOST_THINGS:,}"),
    "convention": (_is_text, "a text"),
}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the tables of one file; knows where each key stands."""

    path: str
    at: tuple[str, ...]
    lines: Mapping[toml_lines.Path, int]
    header: str

    def models(self, data: Mapping[str, Any]) -> Iterator[Budgeted]:
        for key in data:
            if key != "models":
                raise self._bad((key,), f"no key is called {key!r}; there is models, as {self.header} tables")
        rows = data.get("models", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._bad(("models",), f"models have to be tables; write each under {self.header}")
        lines: dict[str, int] = {}
        for index, row in enumerate(rows):
            model = self._model(row, ("models", index))
            if model.label in lines:
                why = f"a model on line {lines[model.label]} is called {model.label!r} as well; give this one a label"
                raise self._bad(("models", index), why)
            lines[model.label] = model.line
            yield model

    def _model(self, row: Mapping[str, Any], at: toml_lines.Path) -> Budgeted:
        for key, value in row.items():
            self._check(key, value, (*at, key))
        if "model" not in row:
            raise self._bad(at, "the key 'model' is missing; add one, like model = \"resnet34\"")
        convention = row.get("convention", conventions.DEFAULT)
        self._located((*at, "convention"), lambda: conventions.named(convention))
        shapes = [row["input"]] if isinstance(row.get("input"), str) else row.get("input", [])
        specs = self._located((*at, "input"), lambda: [inputs.parse(shape) for shape in shapes])
        return Budgeted(
            row["model"],
            row.get("label", row["model"]),
            Feed(*inputs.arguments(specs, row.get("batch")), row.get("batch"), row.get("seq")),
            convention,
            tuple(self._limit(key, value, (*at, key)) for key, value in row.items() if key in _FIGURES),
            self._line((*at, "model")) or 1,
        )

    def _check(self, key: str, value: Any, at: toml_lines.Path) -> None:
        if key in _FIGURES:
            return
        if key not in _KEYS:
            near = errors.nearest(key, [*_KEYS, *_FIGURES], most=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join([*_KEYS, *_FIGURES])}"
            raise self._bad(at, f"no key is called {key!r}; {hint}")
        fits, words = _KEYS[key]
        if not fits(value):
            raise self._bad(at, f"the key {key!r} has to be {words}")

    def _limit(self, key: str, value: Any, at: toml_lines.Path) -> Limit:
        place = f"{self.path}:{self._line(at)}"
        is_bare = not isinstance(value, str) and _FIGURES[key] in _SIZES  # of bytes, or of megabytes?
        written = f'"{value}"' if isinstance(value, str) else f"{str(value).lower() if value is True else value}"
        return limit(_FIGURES[key], str(value) if is_bare else value, place, f"{place}: {key} = {written}")

    def _located(self, at: toml_lines.Path, made: Callable[[], Any]) -> Any:
        try:
            return made()
        except errors.ProfileError as error:
            raise self._bad(at, str(error)) from None

    def _bad(self, at: toml_lines.Path, why: str) -> errors.BadBudgetFile:
        return errors.BadBudgetFile(self.path, self._line(at), why)

    def _line(self, at: toml_lines.Path) -> int | None:
        return self.lines.get(self.at + at)


# What is said ---------------------------------------------------------------------------------------------------------


def _no_such_budget_file(path: str, error: OSError) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path} cannot be read ({error.strerror or errors.first_line(error)}); name a budget file, or leave the name "
        "out "
        "for the nearest one"
    )
