"""What the user asked for, parsed once: nobody behind this sees the command line's strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler import conventions, inputs
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


def _names(columns: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in columns.split(",")) if columns else ()
