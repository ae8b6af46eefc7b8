"""From the command line to an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import CycloptsError, UnknownOptionError

from profiler import errors
from profiler.cli import help, verbs
from profiler.cli.driver import drive
from profiler.engine.processes.foreign_code import interruptible
from profiler.records.files import writing
from profiler.records.versions import __version__

NAME = "profile-model"


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
    except CycloptsError as error:
        return _refuse(_sentence(error), 2)
    except KeyboardInterrupt:
        return _refuse("interrupted", 130)
    except BrokenPipeError:
        writing.forget(sys.stdout)
        return 1
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
        return _print(help.main())
    if first == "--completion":
        return _print(f"{verbs.completion(arguments[1] if arguments[1:] else '')}\n")
    name = first if first in verbs.built_in() or first in verbs.added() else None
    rest = arguments if name is None else arguments[1:]
    if any(word in ("--help", "-h") for word in rest):
        return _print(help.main() if name is None else help.of_verb(name))
    if name is None:
        _check_no_verb(first)
    _, bound, _ = verbs.app(name).parse_args(rest, exit_on_error=False, print_error=False)
    return drive(verbs.module(name), bound)


def _check_no_verb(word: str) -> None:
    """Raise where a word is nearly a verb, and no model."""
    is_word = word[:1].isalpha() and word.replace("-", "").isalpha()
    near = errors.nearest(word, verbs.names(), most=1, cutoff=0.75) if is_word else []
    if near:
        from profiler.sources import names  # imports the model libraries

        if not names(word):
            raise _no_such_verb(word, near[0])


def _sentence(error: CycloptsError) -> str:
    """What cyclopts says; an option that is a verb's name is told to be one."""
    if isinstance(error, UnknownOptionError):
        word = (error.token.keyword or error.token.value).lstrip("-")
        if word in verbs.built_in():
            return f"no option is called --{word}; it is a verb: {NAME} {word} MODEL"
    return f"{str(error).rstrip('.')} (see {NAME} --help)"


def _print(text: str) -> int:
    writing.print_result(text)
    return 0


def _refuse(sentence: str, status: int) -> int:
    writing.say(sentence)
    return status


# What is said ---------------------------------------------------------------------------------------------------------


def _no_such_verb(word: str, near: str) -> errors.ProfileError:
    return errors.ProfileError(f"no model and no verb is called {word!r}; did you mean profile-model {near}?")
