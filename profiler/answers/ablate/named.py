"""Which layers of a model does a pattern name, a class of layers, or a layer of the model itself?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import escape
from typing import TYPE_CHECKING, Any, TypeAlias

from profiler import errors
from profiler.records.patterns import layers_to_change
from profiler.records.trace import Module

if TYPE_CHECKING:
    from torch import nn

Named: TypeAlias = "str | type[nn.Module] | nn.Module"

_CHOSEN = "\0"  # no layer has such a path or class


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of a model, to be named.

    modules: the record of them.
    name: the model's.
    model: the live one, which a layer itself is looked for in.
    """

    modules: Sequence[Module]
    name: str
    model: nn.Module

    def paths(self, named: Named) -> list[str]:
        """Those of the outermost layers, each layer once; raises `errors.ProfileError` where there is none.

        A text is a pattern of paths and classes; one that is exactly a layer's path has no wildcards. A class names
        the layers of it and of those that extend it, a layer itself alone.
        """
        if isinstance(named, str):
            return layers_to_change(self.modules, escape(named) if self._is_path(named) else named, self.name)
        rows = self._of_class(named) if isinstance(named, type) else {self._row(named)}
        kinds = [module._replace(classes=("", *module.classes)) for module in self.modules]
        for row in rows:
            kinds[row] = kinds[row]._replace(classes=(_CHOSEN, *kinds[row].classes))
        return layers_to_change(kinds, _CHOSEN, self.name)

    def words(self, named: Named) -> str:
        """What a row is called by."""
        if isinstance(named, str):
            return named
        return named.__name__ if isinstance(named, type) else self.modules[self._row(named)].path

    def patterns(self, entry: str | Sequence[Named]) -> tuple[Named, ...]:
        """What stands between commas, unless the whole is a layer's path; or each of several."""
        if isinstance(entry, str):
            entry = [entry] if self._is_path(entry) else entry.split(",")
        parts = [part if not isinstance(part, str) or self._is_path(part) else part.strip() for part in entry]
        return tuple(part for part in parts if part != "") or ("",)

    def _is_path(self, text: str) -> bool:
        return bool(text) and any(module.path == text for module in self.modules)

    def _of_class(self, cls: type[nn.Module]) -> set[int]:
        from profiler.engine.record.structure import class_names

        name = class_names(cls)[0]
        rows = {row for row, module in enumerate(self.modules) if module.path and name in module.classes}
        if not rows:
            raise _none_of_class(self.name, name, [module.kind for module in self.modules if module.path])
        return rows

    def _row(self, layer: nn.Module) -> int:
        from profiler.engine.record.structure import Structure

        structure = Structure(self.model)
        path = next((m.path for m, it in zip(structure.modules, structure.objects, strict=True) if it is layer), None)
        if path == "":
            raise _is_the_model(self.name)
        row = next((row for row, module in enumerate(self.modules) if module.path == path), None)
        if row is None:
            raise _not_in(self.name, type(layer).__name__)
        return row


def is_layer(value: Any) -> bool:
    """Whether it is a layer, or a class of layers."""
    return callable(getattr(value, "named_modules", None))


def checked(named: Any) -> Named:
    """Raises `errors.ProfileError` where it is no text, class of layers or layer."""
    if not (isinstance(named, str) or is_layer(named)):
        raise _names_nothing(named)
    return named  # type: ignore[no-any-return]


def several(entries: Any) -> list[Any]:
    """One that names layers, or some of them."""
    if isinstance(entries, str) or is_layer(entries):
        return [entries]
    if isinstance(entries, type) or not isinstance(entries, Iterable):
        raise _names_nothing(entries)
    return list(entries)


# Error messages -------------------------------------------------------------------------------------------------------


def _names_nothing(value: Any) -> errors.ProfileError:
    return errors.ProfileError(
        f"{value!r} of type {type(value).__name__} names no layer; give a text such as 'layer4.2', a class such as "
        "torch.nn.Linear, or a layer of the model"
    )


def _none_of_class(model: str, name: str, kinds: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"no layer of {model} is a {name}; its layers are of {errors.some(list(dict.fromkeys(kinds)))}: give such a "
        "class, or its name as a text"
    )


def _not_in(model: str, kind: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"the {kind} given is no layer of {model}; give the live model that holds it, or name it by its path or class"
    )


def _is_the_model(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"the layer given is {model} itself; name one of its layers")
