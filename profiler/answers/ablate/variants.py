"""Which variants of a model are asked for? Layers that are left out, or replaced, as patterns name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.records.patterns import layers_to_change, outermost
from profiler.records.trace import Trace

if TYPE_CHECKING:
    from profiler.engine.changing.subjects import Maker


@dataclass(frozen=True, slots=True)
class Variant:
    """The model with some layers left out, or with another layer in the place of each.

    label: what was changed: "without layer4.2", "bn* = Identity".
    paths: the layers, none of which is inside of another.
    by: what stands in their place, as it was written; None where they are left out.
    make: makes that of a layer and the model that it is in.
    """

    label: str
    paths: tuple[str, ...]
    by: str | None = None
    make: Maker | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What to change, by patterns of paths and classes.

    without: for each variant, the patterns whose layers are left out together.
    replace: for each variant a pattern, what stands in the place of its layers, as a text, and what makes it.
    each: patterns whose layers are left out one by one.
    """

    without: tuple[tuple[str, ...], ...] = ()
    replace: tuple[tuple[str, str, Maker], ...] = ()
    each: tuple[str, ...] = ()

    def variants(self, baseline: Trace) -> tuple[Variant, ...]:
        """Each once, in this order; raises `errors.ProfileError` where a pattern matches no layer."""
        return tuple({variant.label: variant for variant in self._variants(baseline)}.values())

    def _variants(self, baseline: Trace) -> Iterator[Variant]:
        matching = partial(layers_to_change, baseline.modules, model=baseline.model)
        for patterns in self.without:
            paths = outermost(path for pattern in patterns for path in matching(pattern))
            yield Variant(f"without {', '.join(patterns)}", tuple(paths))
        for pattern, by, make in self.replace:
            yield Variant(f"{pattern} = {by}", tuple(matching(pattern)), by, make)
        for pattern in self.each:
            for path in matching(pattern):
                yield Variant(f"without {path}", (path,))


def asked(without: Iterable[Any], replace: Mapping[str, Any] | Sequence[tuple[str, Any]], each: Iterable[str]) -> Asked:
    """What the command's options, or the keywords in Python, ask for; raises `errors.ProfileError`.

    without: a text with patterns between commas, or several patterns, a variant.
    replace: by a pattern, a text, class, function or layer.
    """
    pairs = tuple(replace.items() if isinstance(replace, Mapping) else replace)
    removed, several = tuple(map(_patterns, without)), tuple(each)
    if not (pairs or removed or several):
        raise _nothing_to_change()
    from profiler.sources.layers import maker  # which imports torch

    return Asked(removed, tuple((pattern, _words(by), maker(by)) for pattern, by in pairs), several)


def replacement(text: str) -> tuple[str, str]:
    """`PATTERN=LAYER` in its two parts; raises `errors.ProfileError`."""
    pattern, sign, by = (part.strip() for part in text.partition("="))
    if not (pattern and sign and by):
        raise _not_a_replacement(text)
    return pattern, by


def _patterns(entry: Any) -> tuple[str, ...]:
    parts = entry.split(",") if isinstance(entry, str) else entry
    return tuple(pattern for part in parts if (pattern := part.strip())) or ("",)


def _words(by: Any) -> str:
    return by if isinstance(by, str) else getattr(by, "__qualname__", type(by).__name__)


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_to_change() -> errors.ProfileError:
    return errors.ProfileError(
        "nothing is to be left out or replaced; name layers: --without 'layer4.2', --each 'layer*.*', "
        "--replace 'bn*=Identity'"
    )


def _not_a_replacement(text: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--replace {text!r}: write PATTERN=LAYER, like 'bn*=Identity', 'layer1.*.conv2=Conv2d(64, 64, 1)' or "
        "'conv1=FILE.py:CALLABLE'"
    )
