"""What do a verb's words say? Each is in its place; where there are options among them, cyclopts knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import BoundArguments, signature
from typing import Annotated, Any, get_args, get_origin

from profiler import errors
from profiler.answers.common.options import Argument
from profiler.cli import verbs


def read(name: str | None, words: Sequence[str]) -> BoundArguments:
    """What a verb is to be called with; raises `errors.ProfileError`."""
    bound = _read(name, words)
    if "" in bound.args:
        raise _is_empty(name)
    return bound


def _read(name: str | None, words: Sequence[str]) -> BoundArguments:
    if not any(word.startswith("-") for word in words):
        bound = _in_places(verbs.module(name).run, words)
        if bound is not None:
            return bound
    from profiler.cli import parsing  # by cyclopts: a fifth of the time of a command that needs nothing else

    return parsing.read(name, words)


def _in_places(run: Callable[..., Any], words: Sequence[str]) -> BoundArguments | None:
    """Words without options, each in a place for text; None where there are other places, or too few or many words."""
    whole = signature(run)
    places = [each for each in whole.parameters.values() if each.kind is not each.KEYWORD_ONLY]
    if not all(map(_is_text, verbs.hints(run, places).values())):
        return None
    try:
        bound = whole.bind(*words, **{verbs.CONTEXT: None})
    except TypeError:
        return None
    del bound.arguments[verbs.CONTEXT]
    return bound


def _is_text(hint: Any) -> bool:
    """Whether a word is taken as it is; what another package says of it may be more."""
    kind, *about = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    return kind is str and all(isinstance(each, Argument) for each in about)


# Error messages -------------------------------------------------------------------------------------------------------


def _is_empty(name: str | None) -> errors.ProfileError:
    verb = verbs.NAME if name is None else f"{verbs.NAME} {name}"
    return errors.ProfileError(
        f"'': it is empty; name a model, a file or what else is meant, or leave it out ({verb} --help)"
    )
