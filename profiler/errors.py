"""What is an error of this package? One line: what is wrong, which value, and what to do; and its exit status."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

# Texts of others ------------------------------------------------------------------------------------------------------

# How is a text from somebody else shown? Names of models and layers, labels, exceptions: so that they stay one text.
#
# A text that is printed can move a cursor, retitle a window, turn the reading direction, begin a line of its own or
# give a command to the service that runs a job. What would do so is shown as JSON writes it in a string, `\u001b` and
# `\n`, which stays valid inside JSON too.
#
# Which characters: controls, separators of lines and paragraphs, halves of surrogate pairs, and whatever Unicode calls
# default-ignorable (DerivedCoreProperties.txt), among which are the bidirectional overrides and all that has no width.

MOST = 4000  # characters of a sentence

_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HALVES = "\ud800-\udfff"
_UNSAFE = re.compile(f"[\0-\x1f\x7f-\x9f\u2028\u2029{_HALVES}{_UNSEEN}]")
_UNSAFE_IN_LINES = re.compile(f"[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029{_HALVES}{_UNSEEN}]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
# What GitHub's runner takes for a command: `##[` anywhere in a line, and `::` where it begins.
# (actions/runner, src/Runner.Common/ActionCommand.cs)
_OLD_COMMAND = "##["
_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def shown(text: str) -> str:
    r"""One text as one line that shows all it has: a line break is `\n`."""
    return _UNSAFE.sub(_escape, text).replace(_OLD_COMMAND, r"##\u005b")


def printable(text: str) -> str:
    """A whole report: its lines stay, and nothing in them is a command to a terminal or a job's log."""
    return _COMMAND.sub(r"\1\\u003a", _UNSAFE_IN_LINES.sub(_escape, text).replace(_OLD_COMMAND, r"##\u005b"))


def sentence(text: str) -> str:
    """What a user is told, in one line: blanks and line breaks are one blank; an endless text is cut in its midst."""
    line = shown(" ".join(text.split()))
    return line if len(line) <= MOST else f"{line[: MOST * 3 // 4]} ... {line[-MOST // 4 :]}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000  # two halves, as JSON has characters beyond its four digits
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


# The bases ------------------------------------------------------------------------------------------------------------


class ProfileError(Exception):
    """Anything this package refuses. Its text is one line, whatever names and messages of others are in it.

    status: the exit status of a command that ends by it.
    """

    status = 2

    def __init__(self, text: str) -> None:
        super().__init__(sentence(text))


class CheckFailed(ProfileError):
    """The profile was made, and a check that the user asked for failed.

    status: the exit status of a command that ends by it.
    """

    status = 1


class Malformed(Exception):
    """What a text or a file holds is not what it should; `line` is where, if that is known.

    Whoever knows which option or file that is makes a `ProfileError` of it.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


# Error messages of several packages -----------------------------------------------------------------------------------


def nearest(name: str, names: Iterable[str], most: int = 5, cutoff: float = 0.5) -> list[str]:
    from difflib import get_close_matches  # most runs go well, and need not wait for it

    if len(name) > _LONGEST:  # nobody mistyped that
        return []
    by_lower_case = {candidate.lower(): candidate for candidate in names}
    return [by_lower_case[match] for match in get_close_matches(name.lower(), by_lower_case, n=most, cutoff=cutoff)]


def no_model_given() -> ProfileError:
    return ProfileError("no model is given; name one, like profile-model resnet34 (profile-model list has the names)")


def unreadable(path: str, error: OSError, otherwise: Callable[[str, str], ProfileError]) -> ProfileError:
    """Of a file that the system does not read: that it is not there, or what `otherwise` makes of the reason."""
    if isinstance(error, FileNotFoundError):
        return no_such_file(path)
    return otherwise(path, error.strerror or first_line(error))


def no_layer_matches(pattern: str, model: str, names: Iterable[str] = ()) -> ProfileError:
    """`names` are paths and classes, of which the nearest are said."""
    near = nearest(pattern, names)
    remedy = f"did you mean {', '.join(near)}?" if near else "see them with profile-model MODEL --columns path"
    return ProfileError(f"no layer of {model} has a path or class that matches {pattern!r}; {remedy}")


def only_with(option: str, other: str) -> ProfileError:
    return ProfileError(f"{option} means something with {other} alone; add that, or leave it out")


class BadSpec(ProfileError):
    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(f"{text!r} is not a model spec: {remedy}")


class MissingPackage(ProfileError):
    """`why` is about the package, as "is not installed"; `install` is what `pip install` mends it with."""

    def __init__(self, package: str, why: str, install: str) -> None:
        super().__init__(f"{package} {why}; pip install {install}")


_LONGEST = 300  # characters: the library's reasons stand on several lines


def not_in_hub(name: str, error: Exception) -> ProfileError:
    return ProfileError(
        f"{name} is no folder here, and neither in the hub's cache nor to be fetched ({first_line(error)}); "
        "give a folder with a config.json, or HF_HUB_CACHE where the cache is that has it, or a class such as "
        "hf:LlamaConfig(num_hidden_layers=2)"
    )


def no_such_file(path: str) -> ProfileError:
    folder, name = os.path.split(path)
    try:
        near = nearest(name, os.listdir(folder or os.curdir), 1, 0.7)
    except (OSError, ValueError):  # `ValueError` for a NUL
        near = []
    hint = f"did you mean {os.path.join(folder, near[0])}?" if near else "give the path of one that exists"
    return ProfileError(f"{path} is not a file; {hint}")


def cannot_import(what: str, error: Exception) -> ProfileError:
    is_relative = "relative import" in str(error)
    remedy = "write it as package.module:CALLABLE" if is_relative else "mend it or its path"
    at = "" if isinstance(error, SyntaxError) else place(error)  # a SyntaxError says it itself
    return ProfileError(f"{what} cannot be imported ({type(error).__name__}: {first_line(error)}{at}); {remedy}")


def not_a_model(text: str, kind: str) -> ProfileError:
    return ProfileError(f"{text} is of type {kind}; it has to be or give a torch.nn.Module, or a module and its inputs")


class BuilderFailed(ProfileError):
    def __init__(self, text: str, error: Exception, remedy: str | None = None) -> None:
        what = f"{type(error).__name__}: {first_line(error)}{place(error)}"
        super().__init__(f"{text} cannot be built ({what}); {remedy or 'check its arguments'}")


def unreadable_model_file(path: str, why: str) -> ProfileError:
    return ProfileError(f"{path} cannot be read as a model ({why}); export the model again")


class NotExportedFor(ProfileError):
    """`what` is what the input has in the file, and not what was given: "has dimension 1 fixed at 3, not 4"."""

    def __init__(self, model: str, name: str, what: str) -> None:
        super().__init__(f"{model}: its input {name} {what}; give --input such shapes, or export the model for others")


def input_count(model: str, names: Sequence[str], count: int) -> ProfileError:
    takes = f"{len(names)} tensor{'s' if len(names) != 1 else ''}"
    return ProfileError(f"{model} takes {takes} ({', '.join(names)}), and {count} are given; give --input one for each")


def no_such_input(model: str, name: str, names: Iterable[str]) -> ProfileError:
    return ProfileError(f"{model} has no input called {name!r}; it has {', '.join(names)}")


def unreadable_trace(path: str, why: str) -> ProfileError:
    return ProfileError(f"{path} is not a saved trace ({why}); make one with --save")


def zeros_need_weights(model: str, why: str) -> ProfileError:
    return ProfileError(
        f"{model}: its zeros cannot be counted, for {why}; profile a model that has its weights, from Python or by "
        "FILE.py:CALLABLE"
    )


def saved_is_fixed(path: str, what: str = "--input and --batch") -> ProfileError:
    return ProfileError(f"{path} was recorded already, so {what} cannot change it; profile the model again")


# Checkpoints ---------------------------------------------------------------------------------------------------------


class UnreadableCheckpoint(ProfileError):
    """`why` is about the file, as "it is truncated", and has the remedy where there is one."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be read as a checkpoint: {why}")


def missing_shard(path: str, missing: Sequence[str], shards: int) -> ProfileError:
    return ProfileError(
        f"{path} is in {shards} files, of which {len(missing)} {'is' if len(missing) == 1 else 'are'} missing: "
        f"{some(missing)}; put {'it' if len(missing) == 1 else 'them'} beside it"
    )


def nothing_ran(model: str, so: str) -> ProfileError:
    """`so` is what that means for what was asked for."""
    return ProfileError(f"{model} was read from a file's header and nothing ran, so {so}; name the model itself")


def not_known(model: str, figure: str, limit: str, place: str) -> ProfileError:
    return ProfileError(
        f"{model}, {figure}: cannot be held to {limit} ({place}); nothing ran, so its {figure} are not known; "
        "give a model that can run, and its --input"
    )


def label_count(labels: int, models: int) -> ProfileError:
    return ProfileError(
        f"--label is given {labels} time{'s' if labels > 1 else ''} for {models} model{'s' if models > 1 else ''}; "
        "give one a model, in their order"
    )


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of some names."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


# What to feed --------------------------------------------------------------------------------------------------------


class InputsNeeded(ProfileError):
    """`held` gives the record of the model as it is without a run, where there is a model."""

    def __init__(self, model: str, held: Callable[[], Any] | None = None) -> None:
        self.held = held
        super().__init__(
            f"{model} does not say what it takes; give it shapes like 1x3x224x224 or ids=1x128:int64, "
            "on the command line with --input"
        )


# Running -------------------------------------------------------------------------------------------------------------


def shapes(inputs: Iterable[Any]) -> str:
    return ", ".join((f"{i.name}=" if i.name else "") + "x".join(map(str, i.shape)) for i in inputs) or "no tensor"


def first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:
        return type(error).__name__
    return lines[0] if lines else type(error).__name__


def text_of(error: BaseException) -> str:
    """The text of an exception; nothing where its class cannot say it."""
    try:
        return str(error)
    except Exception:
        return ""


def place(error: BaseException) -> str:
    """Where it was raised in somebody else's file, behind a comma; nothing where that is in a library or not known."""
    line = innermost_line(error, _is_foreign)
    return f", at {line}" if line else ""


def innermost_line(error: BaseException, is_wanted: Callable[[str], bool]) -> str:
    """FILE:LINE of the innermost frame in a wanted file, relative to the working directory if it is in there; or ""."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_wanted(frame.filename):
            inside = os.path.relpath(frame.filename)
            return f"{frame.filename if inside.startswith(os.pardir) else inside}:{frame.lineno}"
    return ""


def _is_foreign(file: str) -> bool:
    """Neither ours, nor Python's own, nor of an installed package."""
    libraries = (os.path.dirname(__file__), os.path.dirname(os.__file__), "<")
    return not file.startswith(libraries) and f"{os.sep}site-packages{os.sep}" not in file


def said(error: BaseException) -> str:
    """What an exception says, as one line of a bearable length. TorchScript ends its traceback with what went wrong."""
    lines = [line.strip() for line in text_of(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = lines[-1] if "TorchScript interpreter" in lines[0] else " ".join(lines)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def too_large(shape: Sequence[int]) -> ProfileError:
    return ProfileError(f"input {'x'.join(map(str, shape))} is larger than any tensor can be; give a smaller shape")


class LayerRun(NamedTuple):
    """A call of a layer, with the tensors that it returned, or that it was given where it failed."""

    path: str
    tensors: tuple[Any, ...] = ()


class ModelFailed(ProfileError):
    """`reason` is what was raised, in which layer and on which line of the user's code.

    `layers_run` are the calls of layers that had ended, in the order in which they did; `failed` is the innermost one
    that raised, None where it was none, as in a backward pass. `until` is the record of what had run, for `Profile`.
    """

    def __init__(
        self,
        model: str,
        reason: str,
        inputs: Sequence[Any],
        layers_run: Sequence[LayerRun] = (),
        failed: LayerRun | None = None,
        until: Any = None,
        remedy: str | None = None,
    ) -> None:
        what_to_do = remedy or "check the model and what it is fed"
        super().__init__(f"{model} fails on input {shapes(inputs)} ({reason}); {what_to_do}")
        self.reason = reason
        self.layers_run = tuple(layers_run)
        self.failed = failed
        self.until = until


class BatchOfOne(ProfileError):
    """A normalisation over the batch, in a training step."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} normalises over a batch, and in training one value a channel is none to normalise: feed it more "
            "samples (--batch 2)"
        )


def no_such_choice(option: str, choice: str, choices: Sequence[str]) -> ProfileError:
    return ProfileError(f"{option} {choice} is not known; known are {', '.join(choices)}")


# Other counters ------------------------------------------------------------------------------------------------------


def no_such_counter(name: str, names: Iterable[str]) -> ProfileError:
    return ProfileError(f"no counter is called {name!r}; choose from {', '.join(names)}")


def nothing_to_run(path: str, what: str = "a saved trace") -> ProfileError:
    return ProfileError(f"{path} is {what}, and other counters run a model; name the model itself")


def optimizer_failed(text: str, error: BaseException) -> ProfileError:
    return ProfileError(f"--optimizer {text} fails ({first_line(error)}); check its settings")


def no_such_column(name: str, names: Iterable[str]) -> ProfileError:
    return ProfileError(f"no column is called {name!r}; choose from {', '.join(names)}")


def dimension_without_value(name: str) -> ProfileError:
    return ProfileError(
        f"the input's dimension {{{name}}} has no value; give it some with profile-model scan MODEL "
        f"{name}=128,256, or a number"
    )
