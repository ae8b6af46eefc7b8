"""How are our docstrings read? A line `name: words` of a parameter or a field is one of a list of them.

    before, after: profiles, or specs such as "resnet34".
    top: how many changes are shown.

becomes a section of Google's form, which mkdocstrings lays out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import griffe

ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*): (?P<words>\S.*)")


class Sections(griffe.Extension):
    """Rewrites the docstring of each function and class as it is read."""

    def on_function(self, *, func: griffe.Function, **kwargs: Any) -> None:
        self._rewrite(func, "Args", {parameter.name.lstrip("*") for parameter in func.parameters})

    def on_class(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        names = {name for name, member in cls.members.items() if member.is_attribute}
        self._rewrite(cls, "Attributes", names)

    @staticmethod
    def _rewrite(obj: griffe.Object, section: str, names: Collection[str]) -> None:
        if obj.docstring is not None:
            obj.docstring.value = "\n".join(with_section(obj.docstring.value.splitlines(), section, names))


def with_section(lines: list[str], section: str, names: Collection[str]) -> Iterator[str]:
    """The lines of a docstring, whose entries about these names stand in a section."""
    is_in = False
    for line in lines:
        entry = ENTRY.fullmatch(line)
        known = entry["names"].split(", ") if entry else []
        if known and set(known) <= set(names):
            yield from () if is_in else ("", f"{section}:")
            is_in = True
            yield from (f"    {name}: {entry['words']}" for name in known)
        elif is_in and line.startswith("    "):
            yield f"    {line}"
        else:
            yield from ("",) if is_in and line else ()
            is_in = False
            yield line
