"""What the user asked for, parsed once: nobody behind this sees the command line's strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler import archive, conventions, errors, inputs
from profiler.render import format_of, renderer
from profiler.sources.spec import Feed
from profiler.tables import View


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the command."""

    specs: tuple[str, ...]
    feed: Feed
    convention: str
    view: View
    format: str
    output: str | None
    explain: str | None
    save: str | None
    strict: bool


def options(
    specs: Sequence[str],
    *,
    shapes: Sequence[str],
    batch: int | None,
    convention: str,
    columns: str | None,
    depth: int | None,
    sort: str | None,
    top: int | None,
    filter: str | None,
    format: str | None,
    output: str | None,
    explain: str | None,
    save: str | None,
    strict: bool,
) -> Options:
    """Check what can be checked before any model is built; raises `errors.ProfileError`."""
    conventions.named(convention)
    chosen = format or (format_of(output) if output else "text")
    renderer(chosen)
    if explain is not None and chosen != "text":
        raise errors.ExplainIsText(chosen)
    if save is not None:
        _check_save(save, len(specs))
    if len(specs) > 1:
        _check_one_model(len(specs), depth=depth, sort=sort, top=top, filter=filter)
    return Options(
        specs=tuple(specs),
        feed=Feed(*inputs.arguments([inputs.parse(shape) for shape in shapes], batch), batch),
        convention=convention,
        view=View(_names(columns), depth, sort, top, filter),
        format=chosen,
        output=output,
        explain=explain,
        save=save,
        strict=strict,
    )


def _check_save(path: str, models: int) -> None:
    if models > 1:
        raise errors.SaveTakesOne(models)
    if not path.endswith(archive.SUFFIXES):
        raise errors.SaveNeedsJson(path)
    archive.check_writable(path)


def _check_one_model(models: int, **given: object) -> None:
    for option, value in given.items():
        if value is not None:
            raise errors.OneModelOnly(f"--{option}", models)


def _names(columns: str | None) -> tuple[str, ...]:
    return tuple(name for part in (columns or "").split(",") if (name := part.strip()))
