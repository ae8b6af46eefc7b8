"""What does a verb take, and what do words that have options say? By cyclopts, which is imported for that alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import BoundArguments, signature
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

from cyclopts import (
    App,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    UnknownOptionError,
    UnusedCliTokensError,
)

from profiler import errors
from profiler.answers.common.options import HEADINGS, Argument
from profiler.cli import verbs

_UNUSED = cast("Any", object())  # errors are printed by us; without a console cyclopts imports rich to make one
_GIVEN_BY_US = "context"  # the parameter that is no word of the command line


def read(name: str | None, words: Sequence[str]) -> BoundArguments:
    """What a verb is to be called with; raises `errors.ProfileError`."""
    try:
        _, bound, _ = app(name).parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise errors.ProfileError(_sentence(error, name)) from None
    return signature(verbs.module(name).run).bind_partial(*bound.args, **bound.kwargs)


def app(name: str | None) -> App:
    """What reads the options of one verb; None: of the main job."""
    words = verbs.NAME if name is None else f"{verbs.NAME} {name}"
    application = App(name=words, help_flags=[], version_flags=[], help_on_error=False, error_console=_UNUSED)
    application.default(_declared(verbs.module(name).run))
    return application


def completion(shell: str) -> str:
    """The script that lets a shell complete verbs and options; raises `errors.ProfileError`."""
    if shell not in verbs.SHELLS:
        raise errors.no_such_choice("--completion", shell, verbs.SHELLS)
    whole = App(name=verbs.NAME)
    whole.default(_declared(verbs.module(None).run))
    for name in verbs.names():
        whole.command(_declared(verbs.module(name).run), name=name)
    return whole.generate_completion(shell=cast("Any", shell))


# What cyclopts is told ------------------------------------------------------------------------------------------------


def _declared(run: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the words that a verb takes, as cyclopts declares them."""
    while HEADINGS:  # of groups whose files were imported since
        group, heading = HEADINGS.pop(0)
        Parameter(name="*", group=Group(heading), negative="", show_default=False)(group)
    hints, whole = get_type_hints(run, include_extras=True), signature(run)

    def declared(*args: Any, **kwargs: Any) -> Any:
        return run(*args, **kwargs)

    kept = [each for each in whole.parameters.values() if each.name != _GIVEN_BY_US]
    declared.__annotations__ = {each.name: _hint(hints[each.name]) for each in kept}
    declared.__doc__ = run.__doc__
    declared.__signature__ = whole.replace(parameters=kept)  # type: ignore[attr-defined]
    return declared


def _hint(hint: Any) -> Any:
    """An argument's words, as cyclopts has them."""
    if get_origin(hint) is not Annotated:
        return hint
    kind, *about = get_args(hint)
    return Annotated[(kind, *(_parameter(each) if isinstance(each, Argument) else each for each in about))]


def _parameter(argument: Argument) -> Parameter:
    named = {"metavar": argument.metavar, "name": argument.name}
    given: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
    return Parameter(help=argument.help, negative="", allow_leading_hyphen=argument.may_begin_with_dash, **given)


# What it says where the words are wrong -------------------------------------------------------------------------------

# Options that were called so before, and what stands in their place.
_BEFORE = {
    "baseline": "diff FILE.json MODEL", "fits": "largest MODEL batch --in SIZE", "init-budgets": "check --init MODEL",
    "check-values": "values FILE", "checkpoint": "train MODEL --recompute PATTERN", "training": "train MODEL",
    "zeros": "MODEL --zeros",
}  # fmt: skip
# Options that several verbs have, and the verb that is meant where one has them not.
_MEANT = {
    **dict.fromkeys(("optimizer", "amp", "freeze", "recompute"), "train"),
    **dict.fromkeys(("phase", "cache", "new-tokens"), "generate"),
}


def _sentence(error: CycloptsError, verb: str | None) -> str:
    """What cyclopts says; of an option that is a verb's, which one that is."""
    if isinstance(error, UnknownOptionError):
        word = (error.token.keyword or error.token.value).lstrip("-")
        elsewhere = _elsewhere(word)
        if elsewhere is not None:
            return f"no option is called --{word} here; see {elsewhere}"
    if isinstance(error, UnusedCliTokensError):
        return f"{verb} takes no {' '.join(error.unused_tokens or ())!r} as well (see {verbs.NAME} {verb} --help)"
    if isinstance(error, MissingArgumentError) and error.argument is not None and error.keyword is None:
        return f"{error.argument.name} is missing (see {verbs.NAME} {verb} --help)"
    where = verbs.NAME if verb is None else f"{verbs.NAME} {verb}"
    return f"{str(error).rstrip('.')} (see {where} --help)"


def _elsewhere(word: str) -> str | None:
    """How is written what an option of this name asks for, where that is another verb's; None for other words."""
    from profiler.cli import help

    if word in _MEANT:
        return f"{verbs.NAME} {_MEANT[word]} MODEL {help.option(_MEANT[word], word)}"
    if word in verbs.built_in():
        return help.usage(word)
    return f"{verbs.NAME} {_BEFORE[word]}" if word in _BEFORE else None
