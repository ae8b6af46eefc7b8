"""What do words say that have options among them, or are wrong? By cyclopts, which is imported for that alone."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import BoundArguments, signature

from cyclopts import CycloptsError, MissingArgumentError, UnknownOptionError, UnusedCliTokensError

from profiler import errors
from profiler.cli import help, verbs
from profiler.cli.declaring import app


def read(name: str | None, words: Sequence[str]) -> BoundArguments:
    """What a verb is to be called with; raises `errors.ProfileError`."""
    try:
        _, bound, _ = app(name).parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise errors.ProfileError(_sentence(error, name)) from None
    return signature(verbs.module(name).run).bind_partial(*bound.args, **bound.kwargs)


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
        if word in ("version", "completion"):
            return f"--{word} stands alone: {verbs.NAME} --{word}{' SHELL' * (word == 'completion')}"
        elsewhere = _elsewhere(word)
        if elsewhere is not None:
            return f"no option is called --{word} here; see {elsewhere}"
    if isinstance(error, UnusedCliTokensError):
        return f"{verb} takes no {' '.join(error.unused_tokens or ())!r} as well (see {verbs.NAME} {verb} --help)"
    if isinstance(error, MissingArgumentError) and error.argument is not None and error.keyword is None:
        return f"{error.argument.parameter.metavar or error.argument.name} is missing (see {verbs.NAME} {verb} --help)"
    where = verbs.NAME if verb is None else f"{verbs.NAME} {verb}"
    return f"{str(error).rstrip('.')} (see {where} --help)"


def _elsewhere(word: str) -> str | None:
    """How is written what an option of this name asks for, where that is another verb's; None for other words."""
    if word in _MEANT:
        return f"{verbs.NAME} {_MEANT[word]} MODEL {help.option(_MEANT[word], word)}"
    if word in verbs.built_in():
        return help.usage(word)
    return f"{verbs.NAME} {_BEFORE[word]}" if word in _BEFORE else None
