"""Which models, with which limits? `profile-model.toml`, or `[tool.profile-model]` in a project's `pyproject.toml`.

    [[models]]
    model = "resnet34"
    max-params = "25M"
    max-size = "100MB"

Files of models are named from the budget file's folder, so that a check means the same wherever in the project it is
started.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.answers.check.compute import Limit, limit
from profiler.answers.common.limitable import ALL_FIGURES, FIGURES, OF_PHASES, SIZE, TIME
from profiler.answers.generate.on_devices import OnDevices, on_devices
from profiler.answers.weights.compute import size_in
from profiler.counters import conventions
from profiler.devices.timing import SUFFIX, timer
from profiler.records import inputs
from profiler.records.conditions import AS_IT_IS, DECODE, PREFILL, Conditions, conditions
from profiler.records.files import toml_files, toml_lines
from profiler.records.files.toml_files import ANY, COUNT, FLAG, TABLES, TEXT, TEXTS, Kind, TomlFile, choice, texts
from profiler.records.schemes import named
from profiler.records.spec import Feed
from profiler.records.times import Timer
from profiler.render.tables import Unit

NAME, PROJECT = "profile-model.toml", "pyproject.toml"
_TOOL = ("tool", "profile-model")
_WITH_UNIT = (Unit.BYTES, Unit.NANOSECONDS)
_DEVICE = "a100-sxm-80gb"  # an example
_LIMITS = {figure.key: figure for figure in ALL_FIGURES.values()}
_ON_DEVICES = tuple(ALL_FIGURES[name].key for name in OF_PHASES)
_KINDS: Mapping[str, Kind] = {
    "model": TEXT,
    "label": TEXT,
    "input": TEXTS,
    "batch": COUNT,
    "seq": COUNT,
    "convention": TEXT,
    "dtype": TEXT,
    "training": FLAG,
    "optimizer": TEXT,
    "phase": choice(PREFILL, DECODE),
    "as": TEXT,
    "device": TEXT,
    "devices": COUNT,
    **dict.fromkeys(_LIMITS, ANY),
}


@dataclass(frozen=True, slots=True)
class Budgeted:
    """A model of the file: what it is, what it is fed, in whose convention its FLOPs are, and its limits.

    line: of its key `model`; 0 where it is not in the file yet.
    phase: of a language model; None where it is run as a whole.
    timer: the device that its time is limited on; None where that is not limited.
    served: the devices that the times of its phases are limited on; None where those are not limited.
    """

    spec: str
    label: str
    feed: Feed
    convention: str
    limits: tuple[Limit, ...]
    line: int
    conditions: Conditions = AS_IT_IS
    phase: str | None = None
    timer: Timer | None = None
    served: OnDevices | None = None


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
    """The file at `path`, or the nearest one; raises `errors.ProfileError`, also where a model of it has no limit."""
    file = read(Path(path)) if path else nearest()
    if file is None:
        raise no_budget_file(os.getcwd())
    if not file.models:
        raise _no_models(shown(file.path), file.header)
    for model in file.models:
        if not model.limits:
            raise _no_limit(file.place(model.line), model.label)
    return file


def nearest() -> BudgetFile | None:
    """The budget file of the current folder or of the nearest one above it."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / NAME).is_file():
            return read(folder / NAME)
        project = folder / PROJECT
        if project.is_file():
            file = toml_files.read(project, shown(project))
            if _budget_in(file, _TOOL) is not None:
                return _budget(file, project)
    return None


def read(path: Path) -> BudgetFile:
    """Read a budget file; raises `BadTomlFile`."""
    return _budget(toml_files.read(path, shown(path)), path)


def parsed(text: str, path: Path) -> BudgetFile:
    """What a budget file says that stands, or would stand, at `path`; raises `BadTomlFile`."""
    return _budget(toml_files.of_text(text, shown(path)), path)


def shown(path: Path) -> str:
    """As it is found from the current folder."""
    return os.path.relpath(path)


def _budget(file: TomlFile, path: Path) -> BudgetFile:
    at = _TOOL if path.name == PROJECT else ()
    header = f"[[{'.'.join((*at, 'models'))}]]"
    budget = _budget_in(file, at)
    if budget is None:
        raise file.refusal((), f"it has no [{'.'.join(at)}]; add {header}")
    file.check(at, budget, {"models": replace(TABLES, words=f"tables, each under {header}")})
    return BudgetFile(path, file.text, header, tuple(_models(file, (*at, "models"), budget.get("models", []))))


def _budget_in(file: TomlFile, at: tuple[str, ...]) -> Mapping[str, Any] | None:
    table: Any = file.data
    for name in at:
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


# Its models -----------------------------------------------------------------------------------------------------------


def _models(file: TomlFile, at: toml_lines.Path, rows: list[dict[str, Any]]) -> Iterator[Budgeted]:
    lines: dict[str, int] = {}
    for index, row in enumerate(rows):
        model = _model(file, (*at, index), row)
        if model.label in lines:
            reason = f"a model on line {lines[model.label]} is called {model.label!r} as well; give this one a label"
            raise file.refusal((*at, index), reason)
        lines[model.label] = model.line
        yield model


def _model(file: TomlFile, at: toml_lines.Path, row: Mapping[str, Any]) -> Budgeted:
    file.check(at, row, _KINDS)
    if "model" not in row:
        raise file.refusal(at, "the key 'model' is missing; add one, like model = \"resnet34\"")
    convention = row.get("convention", conventions.DEFAULT)
    file.checked((*at, "convention"), lambda: conventions.named(convention))
    shapes = texts(row.get("input", ()))
    specs = file.checked((*at, "input"), lambda: [inputs.parse(shape) for shape in shapes])
    return Budgeted(
        row["model"],
        row.get("label", row["model"]),
        Feed(*inputs.arguments(specs, row.get("batch")), row.get("batch"), row.get("seq")),
        convention,
        tuple(_limits(file, at, row)),
        file.line((*at, "model")) or 1,
        _conditions(file, at, row),
        row.get("phase"),
        _timer(file, at, row),
        _served(file, at, row),
    )


def _conditions(file: TomlFile, at: toml_lines.Path, row: Mapping[str, Any]) -> Conditions:
    optimizer, is_trained = row.get("optimizer"), row.get("training", "optimizer" in row)
    if is_trained and "phase" in row:
        raise file.refusal((*at, "phase"), "a phase is a forward pass, and this model is trained; leave one out")
    dtype = file.checked((*at, "dtype"), lambda: conditions(dtype=row.get("dtype"))).dtype
    return file.checked((*at, "optimizer"), lambda: conditions(dtype=dtype, train=is_trained, optimizer=optimizer))


def _timer(file: TomlFile, at: toml_lines.Path, row: Mapping[str, Any]) -> Timer | None:
    """The device of a limit on time; a file of one is named from the budget file's folder."""
    key = FIGURES[TIME].key
    name = _device(file, at, row, (key,))
    if name is not None and key not in row and not _served_keys(row):
        raise file.refusal((*at, "device"), f"the key 'device' is about {key}; add that, like {key} = \"20ms\"")
    return file.checked((*at, "device"), lambda: timer(name)) if name is not None and key in row else None


def _device(file: TomlFile, at: toml_lines.Path, row: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """What a row names; raises where it names none, and has one of the keys. A file is named from the file's folder."""
    device: str | None = row.get("device")
    for key in keys if device is None else ():
        if key in row:
            raise file.refusal((*at, key), f'a time is one on a device; add that, like device = "{_DEVICE}"')
    is_file = device is not None and device.endswith(SUFFIX)
    return str(Path(file.path).parent / device) if is_file and device is not None else device


def _served_keys(row: Mapping[str, Any]) -> list[str]:
    return [key for key in _ON_DEVICES if key in row]


def _served(file: TomlFile, at: toml_lines.Path, row: Mapping[str, Any]) -> OnDevices | None:
    """The devices that both phases of a language model are limited on."""
    name, keys = _device(file, at, row, _ON_DEVICES), _served_keys(row)
    if "devices" in row and not keys:
        about = " and ".join(_ON_DEVICES)
        raise file.refusal((*at, "devices"), f"the key 'devices' is about {about}; add one, or leave it out")
    for other in ("phase", "training", "optimizer") if keys else ():
        if other in row:
            raise file.refusal((*at, other), f"{keys[0]} is of a whole generation; leave out {other!r}")
    if not keys:
        return None
    return file.checked((*at, "device"), lambda: on_devices(name, row.get("devices"), weights=row.get("as")))


def _limits(file: TomlFile, at: toml_lines.Path, row: Mapping[str, Any]) -> Iterator[Limit]:
    scheme = file.checked((*at, "as"), lambda: named(row["as"]).name) if "as" in row else None
    if scheme is not None and FIGURES[SIZE].key not in row and not _served_keys(row):
        raise file.refusal((*at, "as"), "the key 'as' is about max-size; add that, like max-size = \"100MB\"")
    for key, value in row.items():
        if key in _LIMITS:
            figure, place = _LIMITS[key], file.place((*at, key))
            is_bare = not isinstance(value, str) and figure.unit in _WITH_UNIT  # of bytes, or of megabytes?
            written = f"{place}: {key} = {toml_files.shown(value)}"
            allowed = limit(figure.name, str(value) if is_bare else value, place, written)
            yield replace(allowed, figure=size_in(scheme)) if scheme and figure.name == SIZE else allowed


# Error messages -------------------------------------------------------------------------------------------------------


def no_budget_file(folder: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"no budget file in {folder} or above it: neither {NAME} nor a {PROJECT} with [{'.'.join(_TOOL)}]; "
        "profile-model check --init resnet34 writes one"
    )


def _no_models(path: str, header: str) -> errors.ProfileError:
    return errors.ProfileError(
        f'{path}: it names no model; add {header} and under it model = "resnet34" and max-params = "25M"'
    )


def _no_limit(place: str, model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f'{place}: no limit for {model!r}; add one, like max-params = "25M", or run profile-model check --init'
    )
