"""How does a command line become an exit status? Find the verb, read its options, run it, report errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType

from profiler import errors
from profiler.cli import verbs, words
from profiler.cli.driver import drive
from profiler.cli.verbs import NAME
from profiler.engine.processes.foreign_code import interruptible
from profiler.records.files import writing
from profiler.records.versions import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 (fine), 1 (a check failed), 2 (it could not run) or 130 (interrupted)."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        with interruptible():
            status = run(arguments)
        with suppress(AttributeError, ValueError):  # closed by the shell, or by a model's code
            sys.stdout.flush()
    except errors.ProfileError as error:
        return _refuse(str(error), error.status)
    except KeyboardInterrupt:
        return _refuse("interrupted", 130)
    except BrokenPipeError:
        writing.forget(sys.stdout)
        return 1
    except SystemExit as error:  # of a library or another package's verb: whoever ends the command has not passed
        return _refuse(f"the command was ended amid its work ({error.code!r}); nothing was checked", 2)
    except OSError as error:
        if error.filename is not None:
            raise
        return _refuse(str(writing.lost(error)), 2)  # a disk that is full under the help, or a list of names
    return status


def run(arguments: list[str]) -> int:
    """Find the verb, read its options, run it."""
    first = arguments[0]
    if first in ("--version", "-V"):
        return _print(f"{NAME} {__version__}\n")
    if first in ("--help", "-h"):
        return _print(_help().main())
    option, _, shell = first.partition("=")
    if option == "--completion":
        from profiler.cli import declaring

        return _print(f"{declaring.completion(shell or ''.join(arguments[1:2]))}\n")
    verb = first if verbs.is_verb(first) else None
    rest = arguments if verb is None else arguments[1:]
    if any(word in ("--help", "-h") for word in rest):
        return _print(_help().of_verb(verb))
    if verb is None:
        _check_no_verb(first)
    bound = words.read(verb, rest)
    if verb is None:
        _check_no_verbs(bound.args)
    return drive(verb or NAME, verbs.module(verb), bound)


def _help() -> ModuleType:
    """What `--help` says, which a command that runs does not need."""
    from profiler.cli import help

    return help


def _check_no_verb(word: str) -> None:
    """Raise where a word is nearly a verb, and no model."""
    is_word = word[:1].isalpha() and word.replace("-", "").replace("_", "").isalpha()
    near = errors.nearest(word, verbs.names(), most=1, cutoff=0.75) if is_word else []
    if near:
        from profiler.sources import names  # reads the files of the model libraries

        if not names(word):
            raise _no_such_verb(word, near[0])


def _check_no_verbs(models: Sequence[str]) -> None:
    """Raise where a verb stands among models, or behind options."""
    for word in models:
        if word in verbs.built_in():
            raise _verb_comes_first(word)


def _print(text: str) -> int:
    writing.print_result(text)
    return 0


def _refuse(sentence: str, status: int) -> int:
    writing.say(sentence)
    return status


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_verb(word: str, near: str) -> errors.ProfileError:
    return errors.ProfileError(f"no model and no verb is called {word!r}; did you mean profile-model {near}?")


def _verb_comes_first(verb: str) -> errors.ProfileError:
    return errors.ProfileError(f"{verb} is a verb, which comes first: profile-model {verb} ... (a file is ./{verb})")
