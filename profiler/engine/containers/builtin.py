"""What does a collection hold, and how is one of its class made with other items? By the built-in's own methods.

A class that derives from `tuple` or `dict` may compute, refuse or mislead in `__len__`, `__iter__` or `items`, and its
constructor may take anything. So none of them is called: what is stored is read and written as the built-in does it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

_KINDS: tuple[Any, ...] = (OrderedDict, defaultdict, dict, list, tuple, set, frozenset, deque)
_EXACT = frozenset(_KINDS)
_UNCHANGING = (tuple, frozenset)
_LONGEST: Any = vars(deque)["maxlen"]
_FACTORY: Any = vars(defaultdict)["default_factory"]


def kind_of(cls: type) -> Any:
    """The built-in collection that a class is or derives from; None for other classes."""
    return cls if cls in _EXACT else next((kind for kind in _KINDS if issubclass(cls, kind)), None)


def items(value: Any) -> list[Any]:
    """What a built-in collection holds, in its order; of a dict, its values."""
    kind = kind_of(type(value))
    return list(kind.values(value) if issubclass(kind, dict) else kind.__iter__(value))


def entries(mapping: Any) -> list[tuple[Any, Any]]:
    """The keys of a mapping with their values; of one that is no dict, what it says itself, or nothing if it raises."""
    kind = kind_of(type(mapping))
    if kind is not None:
        return list(kind.items(mapping))
    try:
        return list(mapping.items())
    except Exception:  # code of the user's own
        return []


def is_mapping(value: Any) -> bool:
    kind = kind_of(type(value))
    return issubclass(kind, dict) if kind is not None else isinstance(value, Mapping)


def put(collection: Any, key: Any, value: Any) -> None:
    """Put something in a dict or list at a key or position."""
    kind_of(type(collection)).__setitem__(collection, key, value)


def attribute(value: Any, name: str) -> Any:
    """An attribute; None where there is none, or where the code that makes it raises."""
    try:
        return getattr(value, name, None)
    except Exception:  # code of the user's own
        return None


def holding(value: Any, new_items: Sequence[Any]) -> Any:
    """A built-in collection of the class that `value` is of, with other items in the order of `items`.

    The collection itself where it cannot change and these are its items. Raises `TypeError` where only its own
    constructor makes one, and that takes something else.
    """
    kind, before = kind_of(type(value)), items(value)
    if kind in _UNCHANGING and all(a is b for a, b in zip(before, new_items, strict=True)):
        return value
    collection = _new_collection(kind, value, new_items)
    replaced = {id(a): b for a, b in zip(before, new_items, strict=True)}
    if type(value).__dictoffset__:
        own = {name: replaced.get(id(item), item) for name, item in vars(value).items()}
        vars(collection).update(own)
    return collection


def _new_collection(kind: Any, value: Any, new_items: Sequence[Any]) -> Any:
    cls = type(value)
    if kind in _UNCHANGING:
        try:
            return kind.__new__(cls, new_items)
        except TypeError:  # named tuples that are written in C
            return cls(new_items)
    collection = kind.__new__(cls)
    if kind is deque:
        deque.__init__(collection, new_items, _LONGEST.__get__(value))
    elif kind is defaultdict:
        defaultdict.__init__(collection, _FACTORY.__get__(value))
    else:
        kind.__init__(collection, *(() if issubclass(kind, dict) else (new_items,)))
    if issubclass(kind, dict):
        for (key, _), item in zip(entries(value), new_items, strict=True):
            kind.__setitem__(collection, key, item)
    return collection
