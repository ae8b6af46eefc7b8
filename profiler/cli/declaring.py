"""What does a verb take? Its parameters, as cyclopts has them declared, which is imported for that alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from inspect import signature
from typing import Annotated, Any, cast, get_args, get_origin

from cyclopts import App, Group, Parameter

from profiler import errors
from profiler.answers.common.options import HEADINGS, Argument
from profiler.cli import verbs

_UNUSED = cast("Any", object())  # errors are printed by us; without a console cyclopts imports rich to make one


def app(name: str | None) -> App:
    """What reads the options of one verb; None: of the main job."""
    words = verbs.NAME if name is None else f"{verbs.NAME} {name}"
    application = App(name=words, help_flags=[], version_flags=[], help_on_error=False, error_console=_UNUSED)
    application.default(_declared(verbs.module(name).run))
    return application


def completion(shell: str) -> str:
    """The script that lets a shell complete verbs and options; raises `errors.ProfileError`."""
    if shell not in verbs.SHELLS:
        raise errors.no_such_choice("--completion", shell, verbs.SHELLS) if shell else _no_shell()
    whole = App(name=verbs.NAME)
    whole.default(_declared(verbs.module(None).run))
    for name in verbs.names():
        with suppress(errors.ProfileError):  # of another package's: it is told when it is asked for
            whole.command(_declared(verbs.module(name).run), name=name, version_flags=[])
    return whole.generate_completion(shell=cast("Any", shell))


# What cyclopts is told ------------------------------------------------------------------------------------------------


def _declared(run: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the words that a verb takes, as cyclopts declares them."""
    while HEADINGS:  # of groups whose files were imported since
        group, heading = HEADINGS.pop(0)
        Parameter(name="*", group=Group(heading), negative="", show_default=False)(group)
    whole = signature(run)
    kept = [each for each in whole.parameters.values() if each.name != verbs.CONTEXT]

    def declared(*args: Any, **kwargs: Any) -> Any:
        return run(*args, **kwargs)

    declared.__annotations__ = {name: _hint(hint) for name, hint in verbs.hints(run, kept).items()}
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


# Error messages -------------------------------------------------------------------------------------------------------


def _no_shell() -> errors.ProfileError:
    return errors.ProfileError(f"--completion wants the name of a shell: {', '.join(verbs.SHELLS)}")
