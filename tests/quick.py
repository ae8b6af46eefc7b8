"""How does a process that runs the command a thousand times read its options a thousand times in no time?

cyclopts derives what it parses with from the annotations of a verb anew for each command line, a twentieth of a second,
which nobody notices who runs the command once. Here it is derived once a verb, and each command line gets a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from cyclopts import App, ArgumentCollection

_derived: dict[tuple[Any, ...], ArgumentCollection] = {}


def remember_options() -> None:
    """From now on in this process. Nothing is remembered where cyclopts is asked with options of its own."""
    derive = App.assemble_argument_collection

    def remembered(app: App, **options: Any) -> ArgumentCollection:
        key = (app.default_command, app.name)
        if options or app.default_command is None:
            return derive(app, **options)
        if key not in _derived:
            _derived[key] = derive(app)
        return copied(_derived[key])

    App.assemble_argument_collection = remembered  # type: ignore[method-assign]


def copied(collection: ArgumentCollection) -> ArgumentCollection:
    """With arguments of its own, to which a command line has given no values."""
    copies: dict[int, Any] = {}

    def argument(original: Any) -> Any:
        if id(original) not in copies:
            copies[id(original)] = twin = copy.copy(original)
            twin.tokens = list(original.tokens)
            twin.children = ArgumentCollection(map(argument, original.children))
        return copies[id(original)]

    each: Callable[[Any], Any] = argument
    return ArgumentCollection(map(each, collection))
