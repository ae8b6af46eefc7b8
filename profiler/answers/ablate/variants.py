"""Which variants of a model are asked for? Layers that are left out, or replaced, as patterns name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.ablate.named import Layers, Named, checked, is_layer, several
from profiler.records.patterns import outermost

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
    """What to change, by what names layers.

    without: for each variant, those whose layers are left out together, or a text that has them between commas.
    replace: for each variant what names layers, what stands in their place, as a text, and what makes it.
    each: those whose layers are left out one by one.
    """

    without: tuple[str | tuple[Named, ...], ...] = ()
    replace: tuple[tuple[Named, str, Maker], ...] = ()
    each: tuple[Named, ...] = ()

    def variants(self, layers: Layers) -> tuple[Variant, ...]:
        """Each once, in this order; raises `errors.ProfileError` where no layer is called so."""
        return tuple({(variant.label, variant.paths): variant for variant in self._variants(layers)}.values())

    def _variants(self, layers: Layers) -> Iterator[Variant]:
        for entry in self.without:
            patterns = layers.patterns(entry)
            paths = outermost(path for pattern in patterns for path in layers.paths(pattern))
            yield Variant(f"without {', '.join(map(layers.words, patterns))}", tuple(paths))
        for named, by, make in self.replace:
            yield Variant(f"{layers.words(named)} = {by}", tuple(layers.paths(named)), by, make)
        for named in self.each:
            for path in layers.paths(named):
                yield Variant(f"without {path}", (path,))


def asked(without: Any, replace: Any, each: Any) -> Asked:
    """What the command's options, or the keywords in Python, ask for; raises `errors.ProfileError`.

    without: one or several, a variant each: a text with patterns between commas, a class, a layer, or several of them.
    replace: by a pattern, class or layer, a text, class, function or layer; or `PATTERN=LAYER`, one or several.
    each: a pattern, class or layer, or several.
    """
    removed, one_by_one = tuple(map(_entry, several(without))), tuple(map(checked, several(each)))
    pairs = [(checked(named), by) for named, by in _pairs(replace)]
    if not (pairs or removed or one_by_one):
        raise _nothing_to_change()
    from profiler.sources.layers import maker  # which imports torch

    return Asked(removed, tuple((named, _words(by), maker(by)) for named, by in pairs), one_by_one)


def replacement(text: str) -> tuple[str, str]:
    """`PATTERN=LAYER` in its two parts; raises `errors.ProfileError`."""
    pattern, sign, by = (part.strip() for part in text.partition("="))
    if not (pattern and sign and by):
        raise _not_a_replacement(text)
    return pattern, by


def _entry(entry: Any) -> str | tuple[Named, ...]:
    return entry if isinstance(entry, str) else tuple(map(checked, several(entry)))


def _pairs(replace: Any) -> list[tuple[Any, Any]]:
    if isinstance(replace, Mapping):
        return list(replace.items())
    if isinstance(replace, type) or is_layer(replace) or not isinstance(replace, Iterable):
        raise _no_replacements(replace)
    pairs = [replacement(item) if isinstance(item, str) else item for item in several(replace)]
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise _no_replacements(replace)
    return pairs


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


def _no_replacements(value: Any) -> errors.ProfileError:
    return errors.ProfileError(
        f"replace is {value!r} of type {type(value).__name__}, and says nothing to put in a layer's place; give a "
        "mapping such as {'bn*': 'Identity'}, or a text such as 'bn*=Identity'"
    )
