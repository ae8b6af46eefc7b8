"""Every sentence a user can be told: what is wrong, which value, and what to do. The exit status is on the class."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
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
    """Anything this package refuses. Its text is one line, whatever names and messages of others are in it."""

    status = 2

    def __init__(self, text: str) -> None:
        super().__init__(sentence(text))


class CheckFailed(ProfileError):
    """The profile was made, and a check that the user asked for failed."""

    status = 1


# Which model ---------------------------------------------------------------------------------------------------------


def nearest(name: str, known: Iterable[str], most: int = 5, cutoff: float = 0.5) -> list[str]:
    from difflib import get_close_matches  # most runs go well, and need not wait for it

    if len(name) > _LONGEST:  # nobody mistyped that
        return []
    by_lower_case = {one.lower(): one for one in known}
    return [by_lower_case[found] for found in get_close_matches(name.lower(), by_lower_case, n=most, cutoff=cutoff)]


class NoModelGiven(ProfileError):
    def __init__(self) -> None:
        super().__init__("no model is given; name one, like profile-model resnet34 (--list '*' lists the names)")


class OneModelOnly(ProfileError):
    def __init__(self, option: str, models: int) -> None:
        super().__init__(f"{option} shapes the table of one model's layers, and {models} models are given; name one")


class LayersOrModels(ProfileError):
    def __init__(self, layers: str, models: str) -> None:
        super().__init__(f"{layers} shapes a table of layers, and {models} asks for one row a model; leave one out")


class NoLayerMatches(ProfileError):
    def __init__(self, pattern: str, model: str) -> None:
        super().__init__(
            f"no layer of {model} has a path or class that matches {pattern!r}; see them with --columns path"
        )


class BadNumber(ProfileError):
    def __init__(self, text: str) -> None:
        super().__init__(f"--which {text}: not a number above 0; write it like 4.09G, 3664M or 4,089,184,256")


class NotTogether(ProfileError):
    def __init__(self, option: str, other: str) -> None:
        super().__init__(f"{other} has no effect on {option}; leave one of them out")


class OnlyWith(ProfileError):
    def __init__(self, option: str, other: str) -> None:
        super().__init__(f"{option} means something with {other} alone; add that, or leave it out")


class ExplainIsText(ProfileError):
    def __init__(self, format: str) -> None:
        super().__init__(f"--explain is written as text, not as {format}; leave out the format, or name a .txt file")


class NothingMatches(ProfileError):
    def __init__(self, pattern: str) -> None:
        super().__init__(f"no model name matches {pattern!r}; a pattern is written like 'resnet*'")


class BadSpec(ProfileError):
    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(f"{text!r} is not a model spec: {remedy}")


class NoSuchModel(ProfileError):
    def __init__(self, name: str, known: Iterable[str], where: str = "", missing: Exception | None = None) -> None:
        near = nearest(name, known)
        hint = f"did you mean {', '.join(near)}?" if near else "list the names there are with --list '*'"
        place, excuse = f" in {where}" if where else "", f"; {missing}" if missing else ""
        super().__init__(f"no model is called {name!r}{place}; {hint}{excuse}")


class NoSuchVerb(ProfileError):
    def __init__(self, word: str, near: str) -> None:
        super().__init__(f"no model and no verb is called {word!r}; did you mean profile-model {near}?")


class NoSuchWeights(ProfileError):
    def __init__(self, model: str, name: object, known: Iterable[str]) -> None:
        super().__init__(f"{model} has no weights called {name!r}; choose from {', '.join(known)}")


class MissingPackage(ProfileError):
    def __init__(self, package: str, extra: str, error: Exception) -> None:
        super().__init__(f"{package} cannot be imported ({first_line(error)}); pip install {extra}")


class NoSuchSetting(ProfileError):
    def __init__(self, config: str, name: str, known: Iterable[str]) -> None:
        near = nearest(name, known)
        hint = f"did you mean {', '.join(near)}?" if near else "see its documentation for what it has"
        super().__init__(f"{config} has no setting {name!r}; {hint}")


class BadConfig(ProfileError):
    def __init__(self, spec: str, error: Exception) -> None:
        said = " ".join(str(error).split())
        super().__init__(
            f"{spec} is no configuration of a model ({said[:_LONGEST]}{'...' * (len(said) > _LONGEST)}); mend it"
        )


_LONGEST = 300  # characters: the library's reasons stand on several lines


class NotInHub(ProfileError):
    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(
            f"{name} is no folder here, and neither in the hub's cache nor to be fetched ({first_line(error)}); "
            "give a folder with a config.json, or a class such as hf:LlamaConfig(num_hidden_layers=2)"
        )


class NeedsTrust(ProfileError):
    def __init__(self, spec: str) -> None:
        super().__init__(
            f"{spec} comes with code of its own, which is not run; read it, and add --trust-remote-code if you trust it"
        )


class NoSuchArchitecture(ProfileError):
    def __init__(self, spec: str, name: str | None, kind: str) -> None:
        what = f"names the architecture {name!r}" if name else f"is of the kind {kind!r}"
        super().__init__(
            f"{spec} {what}, which this version of transformers does not have; "
            "name one it has, like (architectures=['LlamaForCausalLM'])"
        )


class UnknownFeed(ProfileError):
    def __init__(self, model: str, names: Iterable[str]) -> None:
        first, *rest = names
        more = "".join(f", {name}" for name in rest)
        super().__init__(
            f"{model} needs {first}{more}, whose shape is not known here; give it with --input {first}=SHAPE"
        )


class OnlyTransformers(ProfileError):
    def __init__(self, spec: str, option: str) -> None:
        super().__init__(f"{option} is for models of transformers, such as hf:FOLDER, and {spec} is none; leave it out")


class NoText(ProfileError):
    def __init__(self, model: str) -> None:
        super().__init__(f"{model} takes no tokens, so --seq says nothing about it; give shapes with --input")


class NoSuchFile(ProfileError):
    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not a file; give the path of one that exists")


class CannotImport(ProfileError):
    def __init__(self, what: str, error: Exception) -> None:
        is_relative = "relative import" in str(error)
        remedy = "write it as package.module:CALLABLE" if is_relative else "mend it or its path"
        at = "" if isinstance(error, SyntaxError) else place(error)  # a SyntaxError says it itself
        super().__init__(f"{what} cannot be imported ({type(error).__name__}: {first_line(error)}{at}); {remedy}")


class NotAModel(ProfileError):
    def __init__(self, text: str, kind: str) -> None:
        super().__init__(
            f"{text} is of type {kind}; it has to be or give a torch.nn.Module, or a module and its inputs"
        )


class BuilderFailed(ProfileError):
    def __init__(self, text: str, error: Exception) -> None:
        what = f"{type(error).__name__}: {first_line(error)}{place(error)}"
        super().__init__(f"{text} cannot be built ({what}); check its arguments")


class BuildDoesNotFit(ProfileError):
    def __init__(self, text: str, error: Exception, free: int) -> None:
        super().__init__(
            f"{text} cannot be built without its weights ({type(error).__name__}: {said(error)}), and with them it "
            f"takes more than the {free / 1024**3:.1f} GB that are free; check its arguments, or use a machine with "
            "more memory"
        )


# Files of other makers -----------------------------------------------------------------------------------------------


class UnreadableModelFile(ProfileError):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be read as a model ({why}); export the model again")


class NotExportedFor(ProfileError):
    """`what` is what the input has in the file, and not what was given: "has dimension 1 fixed at 3, not 4"."""

    def __init__(self, model: str, name: str, what: str) -> None:
        super().__init__(f"{model}: its input {name} {what}; give --input such shapes, or export the model for others")


class NotForGraphs(ProfileError):
    def __init__(self, convention: str, model: str, known: Iterable[str]) -> None:
        super().__init__(
            f"convention {convention} is about a model's code, and {model} is a graph without it; "
            f"choose one of {', '.join(known)}"
        )


class GraphIsFixed(ProfileError):
    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} is an exported graph, which cannot be run {what}; name the model itself")


class OpenDimension(ProfileError):
    def __init__(self, model: str, name: str, dimension: str) -> None:
        super().__init__(
            f"{model}: its input {name} leaves {dimension} open; say how large it is with --input {name}=1x3x224x224"
        )


class InputCount(ProfileError):
    def __init__(self, model: str, names: Sequence[str], given: int) -> None:
        takes = f"{len(names)} tensor{'s' if len(names) != 1 else ''}"
        super().__init__(
            f"{model} takes {takes} ({', '.join(names)}), and {given} are given; give --input one for each"
        )


class NoSuchInput(ProfileError):
    def __init__(self, model: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{model} has no input called {name!r}; it has {', '.join(known)}")


# Saved traces --------------------------------------------------------------------------------------------------------


class UnreadableTrace(ProfileError):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} is not a saved trace ({why}); make one with --save")


class SaveTakesOne(ProfileError):
    def __init__(self, models: int) -> None:
        super().__init__(f"--save keeps one model and {models} are given; save them one by one")


class SaveNeedsJson(ProfileError):
    def __init__(self, path: str) -> None:
        super().__init__(f"--save {path}: a saved model is known by its suffix; call it FILE.json or FILE.json.gz")


class CannotWrite(ProfileError):
    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"{path} cannot be written ({error.strerror}); choose another file")


class NewerTrace(ProfileError):
    def __init__(self, path: str, found: object, known: int) -> None:
        super().__init__(f"{path} has schema {found}, and this version reads up to {known}; upgrade profile-model")


class ZerosNeedWeights(ProfileError):
    def __init__(self, model: str, why: str) -> None:
        super().__init__(
            f"{model}: its zeros cannot be counted, for {why}; profile a model that has its weights, from Python or by "
            "FILE.py:CALLABLE"
        )


class SavedIsFixed(ProfileError):
    def __init__(self, path: str, what: str = "--input and --batch") -> None:
        super().__init__(f"{path} was recorded already, so {what} cannot change it; profile the model again")


# Checkpoints ---------------------------------------------------------------------------------------------------------


class UnreadableCheckpoint(ProfileError):
    """`why` is about the file, as "it is truncated", and has the remedy where there is one."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be read as a checkpoint: {why}")


class MissingShard(ProfileError):
    def __init__(self, path: str, missing: Sequence[str], shards: int) -> None:
        super().__init__(
            f"{path} is in {shards} files, of which {len(missing)} {'is' if len(missing) == 1 else 'are'} missing: "
            f"{_some(missing)}; put {'it' if len(missing) == 1 else 'them'} beside it"
        )


class NothingRan(ProfileError):
    """`so` is what that means for what was asked for."""

    def __init__(self, model: str, so: str) -> None:
        super().__init__(f"{model} was read from a file's header and nothing ran, so {so}; name the model itself")


class NeedsARun(ProfileError):
    def __init__(self, option: str, spec: str) -> None:
        super().__init__(
            f"{option} is about a run, and {spec} holds weights without code, which nothing can run; name the model "
            "itself"
        )


class NotACheckpoint(ProfileError):
    def __init__(self, option: str, spec: str) -> None:
        super().__init__(f"{option} reads the values of a checkpoint, and {spec} is none; name a file of weights")


class NotFinite(CheckFailed):
    """`named` are the first of the tensors, with what is in them."""

    def __init__(self, path: str, tensors: int, named: Sequence[str]) -> None:
        which = ", ".join(named) + ", ..." * (tensors > len(named))
        super().__init__(f"{path}: {tensors:,} tensor{'s have' if tensors > 1 else ' has'} values not finite: {which}")


class ConvertedWhenLoaded(ProfileError):
    def __init__(self, path: str, model: str) -> None:
        super().__init__(
            f"{path} does not have the tensors of {model}, and transformers merges or splits those of such a model "
            "while it loads them: whether it fits cannot be told from names and shapes; load it, and look at its report"
        )


class DoesNotFitModel(CheckFailed):
    """`why` are the kinds of differences with some names."""

    def __init__(self, path: str, model: str, why: str, remedy: str) -> None:
        super().__init__(f"{path} does not fit {model}: {why}" + (f"; {remedy}" if remedy else ""))


class NotKnown(ProfileError):
    def __init__(self, model: str, figure: str, limit: str, place: str) -> None:
        super().__init__(
            f"{model}, {figure}: cannot be held to {limit} ({place}); the model was read from a file's header and "
            f"nothing ran, so its {figure} are not known"
        )


class NoCheckpoint(ProfileError):
    def __init__(self, folder: str, found: Sequence[str]) -> None:
        held = f"it has several, {_some(found)}" if found else "it has none"
        super().__init__(f"{folder} is a folder, of which one checkpoint is meant, and {held}; name a file")


# Several models ------------------------------------------------------------------------------------------------------


class NotAProfile(ProfileError):
    def __init__(self, kind: str) -> None:
        super().__init__(
            f"compare and diff take profiles and specs, not {kind}; profile(model, inputs) makes a profile of one"
        )


class LabelCount(ProfileError):
    def __init__(self, labels: int, models: int) -> None:
        super().__init__(
            f"--label is given {labels} time{'s' if labels > 1 else ''} for {models} model{'s' if models > 1 else ''}; "
            "give one a model, in their order"
        )


class NoSuchRow(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"--relative-to {name}: no row is called so; choose from {', '.join(known)}")


class NoDirection(ProfileError):
    def __init__(self, column: str) -> None:
        super().__init__(f"column {column!r} has no best by itself; write {column}:min or {column}:max")


class BadAnchor(ProfileError):
    def __init__(self, text: str) -> None:
        super().__init__(
            f"--tex-label {text!r}: a LaTeX label is made of letters, digits and : . _ / + -, like tab:cost"
        )


class BadModelList(ProfileError):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} is not a list of models: {why}")


class BadMetrics(ProfileError):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be read as metrics: {why}; give CSV, with a row a model and named columns")


class NoMetricsMatch(ProfileError):
    def __init__(self, path: str, rows: Sequence[str], models: Sequence[str]) -> None:
        super().__init__(
            f"{path} has no row for any of the models: it has {_some(rows)}, and they are {_some(models)}; "
            "rename its rows, or give --label"
        )


class MetricIsAColumn(ProfileError):
    def __init__(self, name: str) -> None:
        super().__init__(f"a metric is called {name!r}, as is a column of this table; rename it in your file")


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


# Before and after ----------------------------------------------------------------------------------------------------


class DiffTakesTwo(ProfileError):
    def __init__(self, models: int) -> None:
        given = "1 is given" if models == 1 else f"{models} are given"
        super().__init__(f"--diff takes two models, before and after, and {given}; like old.json new.json --diff")


class BaselineTakesOne(ProfileError):
    def __init__(self, models: int) -> None:
        super().__init__(f"--baseline is what one model is held against, and {models} are given; name one")


class BadIncrease(ProfileError):
    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"--max-increase {text}: {why}; write it like 2%, 0 or params=0,macs=5%")


# What to feed --------------------------------------------------------------------------------------------------------


class BadInputShape(ProfileError):
    def __init__(self, text: str) -> None:
        super().__init__(f"input {text!r} is not a shape; write it like 1x3x224x224, 1x128:int64 or mask=1x128:bool")


class BadInputDtype(ProfileError):
    def __init__(self, text: str, dtype: str) -> None:
        super().__init__(f"input {text!r}: no dtype is called {dtype!r}; use a torch name such as float16 or int64")


class BadDtype(ProfileError):
    def __init__(self, text: str, known: Iterable[str]) -> None:
        super().__init__(f"{text!r} is not a dtype that a model can be cast to; choose from {', '.join(known)}")


class BadAmp(ProfileError):
    def __init__(self, text: str, known: Iterable[str]) -> None:
        super().__init__(f"{text!r} is not a dtype of mixed precision; choose from {', '.join(known)}")


class InputsNeeded(ProfileError):
    """`held` gives the record of the model as it is without a run, where there is a model."""

    def __init__(self, model: str, held: Callable[[], Any] | None = None) -> None:
        self.held = held
        super().__init__(
            f"{model} does not say what it takes; give it shapes like 1x3x224x224 or ids=1x128:int64, "
            "on the command line with --input"
        )


class BatchNeedsInput(ProfileError):
    def __init__(self, model: str) -> None:
        super().__init__(f"{model} brings its own inputs, which --batch cannot scale; give shapes with --input")


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
    foreign = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_foreign(frame.filename)]
    if not foreign:
        return ""
    inside = os.path.relpath(foreign[-1].filename)
    file = foreign[-1].filename if inside.startswith(os.pardir) else inside
    return f", at {file}:{foreign[-1].lineno}"


def _is_foreign(file: str) -> bool:
    """Neither ours, nor Python's own, nor of an installed package."""
    libraries = (os.path.dirname(__file__), os.path.dirname(os.__file__), "<")
    return not file.startswith(libraries) and f"{os.sep}site-packages{os.sep}" not in file


class NegativeSize(ProfileError):
    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(f"input {'x'.join(map(str, shape))} has a size below 0; give its real sizes, like 1x3x224x224")


def said(error: BaseException) -> str:
    """What an exception says, as one line of a bearable length. TorchScript ends its traceback with what went wrong."""
    lines = [line.strip() for line in text_of(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = lines[-1] if "TorchScript interpreter" in lines[0] else " ".join(lines)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


class TooLarge(ProfileError):
    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(f"input {'x'.join(map(str, shape))} is larger than any tensor can be; give a smaller shape")


class NotRestored(ProfileError):
    """What was changed by a run and could not be put back: each with the error that kept it from being."""

    def __init__(self, failed: Sequence[tuple[str, BaseException]]) -> None:
        parts = dict.fromkeys(f"{what} ({type(error).__name__}: {first_line(error)})" for what, error in failed)
        super().__init__(
            f"after the run, not all could be put back as it was: {', '.join(parts)}; load the model again before use"
        )


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
    ) -> None:
        super().__init__(f"{model} fails on input {shapes(inputs)} ({reason}); check the model and what it is fed")
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


class ModelStopped(ProfileError):
    """Its code raised what ends a program."""

    def __init__(self, model: str, error: BaseException) -> None:
        code = f"({error.code})" if isinstance(error, SystemExit) else f": {text_of(error)}" if text_of(error) else ""
        super().__init__(
            f"{model} cannot be measured: its code ends the program with {type(error).__name__}{code}{place(error)}; "
            "take that out of what is imported, built and run"
        )


class ModelTooMuch(ProfileError):
    def __init__(self, model: str, error: MemoryError | RecursionError) -> None:
        is_memory = isinstance(error, MemoryError)
        what = "takes more memory than there is" if is_memory else "nests or calls itself deeper than Python allows"
        said = f": {first_line(error)}" if text_of(error) else ""
        super().__init__(f"{model} {what} ({type(error).__name__}{said}{place(error)}); make it or its input smaller")


class ModelEnded(ProfileError):
    """`how` its process ended, as "was killed by signal 9 (SIGKILL)"."""

    def __init__(self, model: str, how: str) -> None:
        hint = "; is there memory enough?" if "signal 9 " in how else ""
        super().__init__(
            f"{model} cannot be measured: the process that imported, built and ran it {how}; take what ends it out of "
            f"the model's code{hint}"
        )


class EngineFailed(ProfileError):
    def __init__(self, model: str, reason: str) -> None:
        super().__init__(
            f"{model} cannot be followed, by a fault of profile-model and not of the model ({reason}); please report it"
        )


class OptimizedGraph(ProfileError):
    def __init__(self, model: str, op: str) -> None:
        super().__init__(
            f"{model} computes with {op}, which PyTorch shows to nobody; profile it as it is before "
            "torch.jit.optimize_for_inference"
        )


class Endless(ProfileError):
    def __init__(self, model: str, most: int) -> None:
        super().__init__(
            f"{model} returns an iterator that goes on after {most:,} items; profile one that "
            "takes as many as are wanted"
        )


class WeightsWithoutValues(ProfileError):
    def __init__(self, model: str, reason: str, inputs: Sequence[Any]) -> None:
        super().__init__(
            f"{model} fails on input {shapes(inputs)} without values ({reason}), and its weights are on the meta "
            "device; check what it is fed, or give a model with real weights"
        )


class RunDoesNotFit(ProfileError):
    def __init__(self, model: str, reason: str, inputs: Sequence[Any], needed: int, free: int) -> None:
        gb = 1024**3
        super().__init__(
            f"{model} fails on input {shapes(inputs)} without values ({reason}), and a run with values needs at least "
            f"{needed / gb:.1f} GB, of which {free / gb:.1f} GB are free; check what it is fed, or use a machine with "
            "more memory"
        )


# Phases of a language model ------------------------------------------------------------------------------------------


class NoDecode(ProfileError):
    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} returns no cache of the tokens it has read, so it has no decode steps; take --phase prefill, or "
            "a model that generates text (use_cache=True)"
        )


class NoTokens(ProfileError):
    def __init__(self, model: str) -> None:
        super().__init__(f"{model} is not fed token ids of shape BATCHxLENGTH, so it has no phases of text generation")


class NoSuchChoice(ProfileError):
    def __init__(self, option: str, given: str, known: Sequence[str]) -> None:
        super().__init__(f"{option} {given} is not known; known are {', '.join(known)}")


class NoNewTokens(ProfileError):
    def __init__(self, given: int) -> None:
        super().__init__(f"--new-tokens {given} are none; give a number from 1 up")


class ScansSeqAlone(ProfileError):
    def __init__(self, name: str) -> None:
        super().__init__(f"--scan {name} has no table of phases; scan seq, or leave out --phase")


class NoSuchCache(ProfileError):
    def __init__(self, model: str, kind: str, error: Exception) -> None:
        super().__init__(f"{model} cannot be given a {kind} cache: {first_line(error)}; leave out --cache")


class CacheNeedsTransformers(ProfileError):
    def __init__(self, model: str, kind: str) -> None:
        super().__init__(f"a {kind} cache is made for models of transformers, and {model} is none; leave out --cache")


class NoPhases(ProfileError):
    def __init__(self, model: str) -> None:
        super().__init__(f"{model} was recorded already, and one run has no other phase; name the model itself")


# Other counters ------------------------------------------------------------------------------------------------------


class NoSuchCounter(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no counter is called {name!r}; choose from {', '.join(known)}")


class PeerMissing(ProfileError):
    def __init__(self, distribution: str) -> None:
        super().__init__(f"{distribution} is not installed; pip install {distribution}")


class PeerHidden(ProfileError):
    """Two distributions own one import name."""

    def __init__(self, distribution: str, package: str, found: str | None) -> None:
        whose = f"{found}'s" if found else "that of neither"
        remedy = f"pip uninstall {found} && " if found else ""
        super().__init__(
            f"the package {package!r} that is installed is {whose}, not {distribution}'s; "
            f"{remedy}pip install --force-reinstall {distribution}"
        )


class PeerNeedsDistutils(ProfileError):
    def __init__(self, tool: str) -> None:
        super().__init__(f"{tool} imports distutils, which Python has no more since 3.12; pip install setuptools")


class PeerTakesNot(ProfileError):
    def __init__(self, tool: str, argument: str) -> None:
        super().__init__(f"{tool} cannot pass on the argument {argument}; give the model a forward that takes it so")


class PeerFailed(ProfileError):
    """A counter that swallows its errors."""

    def __init__(self, tool: str, said: str) -> None:
        super().__init__(f"{tool} gave no number: {said}")


class PeerDied(ProfileError):
    def __init__(self, tool: str, status: int, said: str) -> None:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status} and without a result"
        super().__init__(f"the process of {tool} {how}" + (f" ({said})" if said else ""))


class PeerTimedOut(ProfileError):
    def __init__(self, tool: str, limit_s: float) -> None:
        super().__init__(f"{tool} took longer than {limit_s:g} seconds and was stopped; give it more time")


class PeersNeedWeights(ProfileError):
    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} has its weights on the meta device, and other counters run it for real; give it real weights"
        )


class PeerDoesNotFit(ProfileError):
    def __init__(self, model: str, needed: int, free: int) -> None:
        gb = 1024**3
        super().__init__(
            f"other counters need the weights of {model}: {needed / gb:.1f} GB, and {free / gb:.1f} GB are free; "
            "use a machine with more memory"
        )


class NothingToRun(ProfileError):
    def __init__(self, path: str, what: str = "a saved trace") -> None:
        super().__init__(f"{path} is {what}, and other counters run a model; name the model itself")


class CannotBeCopied(ProfileError):
    def __init__(self, model: str, error: BaseException) -> None:
        super().__init__(
            f"{model} cannot be copied to the processes of other counters ({type(error).__name__}: "
            f"{first_line(error)}); name it by a spec, like FILE.py:CALLABLE"
        )


class NoSuchCondition(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{name!r} is nothing that a run can be asked for; there are {', '.join(known)}")


class NotPatterns(ProfileError):
    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"{name} is a pattern of layers' paths, or a list of some, like 'layer1*', and not a {kind}")


class NoSuchOptimizer(ProfileError):
    def __init__(self, text: str, known: Iterable[str]) -> None:
        super().__init__(f"--optimizer {text}: not one of {', '.join(known)}; write it like adamw or sgd(momentum=0.9)")


class OptimizerFailed(ProfileError):
    def __init__(self, text: str, error: BaseException) -> None:
        super().__init__(f"--optimizer {text} fails ({first_line(error)}); check its settings")


class NotForTraining(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"convention {name} is about inference; a training step is counted in {' or '.join(known)}")


class NothingToTrain(ProfileError):
    def __init__(self, model: str) -> None:
        super().__init__(
            f"no output of {model} depends on a parameter that is trained, so there is no backward pass; see that it "
            "has parameters and which are frozen, or leave out --train"
        )


class NoSuchPath(ProfileError):
    def __init__(self, option: str, pattern: str, model: str) -> None:
        super().__init__(
            f"--{option} {pattern}: no layer of {model} has a path that matches; see them with --columns path"
        )


class CannotBeCast(ProfileError):
    def __init__(self, model: str, error: BaseException) -> None:
        super().__init__(
            f"{model} cannot be copied to be run in another way ({type(error).__name__}: {first_line(error)}); cast it "
            "or set it up before it is profiled"
        )


# Asking a profile ----------------------------------------------------------------------------------------------------


class NoSuchLayer(ProfileError, KeyError):
    def __init__(self, path: str, known: Iterable[str]) -> None:
        near = nearest(path, known)
        super().__init__(f"no layer has the path {path!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))

    __str__ = Exception.__str__


class NoSuchConvention(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no convention is called {name!r}; choose one of {', '.join(known)}")


class NoSuchColumn(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no column is called {name!r}; choose from {', '.join(known)}")


class NoSuchFormat(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no format is called {name!r}; choose one of {', '.join(known)}")


class UnknownSuffix(ProfileError):
    def __init__(self, path: str, formats: Iterable[str]) -> None:
        super().__init__(f"{path}: its suffix stands for no format; add --format, one of {', '.join(formats)}")


# What if -------------------------------------------------------------------------------------------------------------


class DimensionWithoutValue(ProfileError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"the input's dimension {{{name}}} has no value; give it some with --scan {name}=128,256, or a number"
        )


class VariesOne(ProfileError):
    def __init__(self, option: str, models: int) -> None:
        super().__init__(f"{option} is about one model, and {models} are given; name one")


class BatchIsVaried(ProfileError):
    def __init__(self, batch: int) -> None:
        super().__init__(f"--batch {batch}: the batch is what varies here; leave it out")


class LiveHasNoBuilder(ProfileError):
    def __init__(self, model: str, name: str) -> None:
        super().__init__(
            f"{model} is built already, so {name!r} cannot vary; give a spec like FILE.py:CALLABLE, or name batch, "
            f"size or a dimension like '1x{{{name}}}'"
        )


class NoSuchScheme(ProfileError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no scheme for weights is called {name!r}; choose from {', '.join(known)}")


class BadScan(ProfileError):
    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"--scan {text}: {why}; write it like batch=1,8,32, size=160..320:32 or width_mult=0.5,1.0")


class ScanTakesOne(ProfileError):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"--scan is given {len(names)} times ({', '.join(names)}); let one thing vary at a time")


class NothingScanned(ProfileError):
    def __init__(self, model: str, name: str, first: Exception) -> None:
        super().__init__(f"--scan {name}: no value works for {model}; the first: {first}")


class LargestOfWhat(ProfileError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"--largest {name}: name batch, or a dimension that an input has in braces, like --input 1x{{{name}}}:int64"
        )


class BadFit(ProfileError):
    def __init__(self, text: str) -> None:
        super().__init__(
            f"--fits {text}: not a size above 0; write it with its unit, like 8GB or 512MB (1 MB = 1024·1024 bytes; "
            "decimal: 8e9B)"
        )


class LargestNeedsFits(ProfileError):
    def __init__(self, name: str) -> None:
        super().__init__(f"--largest {name} needs to know of what; add --fits, like --fits 8GB")


class NoLargest(ProfileError):
    def __init__(self, model: str, name: str, value: int) -> None:
        super().__init__(f"{model}: even {name} {value:,} fits; give --fits a smaller size")


class DoesNotFit(CheckFailed):
    """Sizes in words; `over` is by how much the peak is more than the limit."""

    def __init__(self, model: str, what: str, limit: str, peak: str, over: str, weights: str) -> None:
        super().__init__(
            f"{model}: not even {what} fits {limit}: its peak is {peak} ({over} over), of which {weights} are "
            "parameters and buffers; make the model or its input smaller"
        )


# Checks --------------------------------------------------------------------------------------------------------------


class NothingMatchesNumber(CheckFailed):
    def __init__(self, model: str, number: str) -> None:
        hint = f"; is it {number}G or {number}M?" if number.replace(".", "").isdigit() else "; see the nearest"
        super().__init__(f"{model}: no convention gives {number} at any input size that was tried{hint}")


class Unexplained(CheckFailed):
    def __init__(self, model: str, tool: str, figure: str, remainder: object, layers: Sequence[str]) -> None:
        known = list(dict.fromkeys(path or "the model itself" for path in layers))
        places = ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
        where = f", in {places}" if known else ""
        what = f"{remainder} of the {figure} by {tool} are not explained"
        if remainder == 0:  # what is wrong in one layer makes up for what is wrong in another
            what = f"the {figure} by {tool} add up, and not layer by layer"
        super().__init__(f"{model}: {what}{where}; see its account")


class NothingRead(ProfileError):
    def __init__(self, model: str, tools: Sequence[str]) -> None:
        super().__init__(f"{model}: no counter gave a count ({', '.join(tools)}); their accounts say why")


class NoTools(ProfileError):
    def __init__(self, known: Iterable[str]) -> None:
        super().__init__(f"no counter is named to check against; choose from {', '.join(known)}")


class NotRun(ProfileError, KeyError):
    def __init__(self, tool: str, run: Iterable[str]) -> None:
        super().__init__(f"{tool} was not run; this check has {', '.join(run)}")

    __str__ = Exception.__str__


class UnknownOperators(CheckFailed):
    def __init__(self, model: str, ops: Mapping[str, int]) -> None:
        calls = ", ".join(f"{op} ×{times}" for op, times in ops.items())
        super().__init__(f"{model} calls operators that have no formula: {calls}; register one (docs/extending.md)")


# Budgets -------------------------------------------------------------------------------------------------------------


class BadLimit(ProfileError):
    """`said` is the limit as it was given: `--max-size 80`, `profile-model.toml:4: max-size = "80"`."""

    def __init__(self, said: str, is_size: bool) -> None:
        remedy = (
            "not a size; write it with its unit, like 80MB or 1.5GB (1 MB = 1024·1024 bytes; decimal megabytes: 80e6B)"
            if is_size
            else "not a whole count; write it like 25M, 1.5G or 25,000,000 (k, M, G or B, T)"
        )
        super().__init__(f"{said}: {remedy}")


class BadHeadRoom(ProfileError):
    def __init__(self, text: str) -> None:
        super().__init__(f"--head-room {text}: not a share; write it like 10%")


class NoLimits(ProfileError):
    def __init__(self) -> None:
        super().__init__('check() holds a model to limits, and none is given; give one, like max_params="25M"')


class OverBudget(CheckFailed):
    """`measured`, `limit` and `over` are in words; `place` is the option, or the file and line, that has the limit."""

    def __init__(
        self, model: str, figure: str, measured: str, limit: str, over: str, place: str, layers: Sequence[str]
    ) -> None:
        where = f"; most is in {', '.join(layers)}" if layers else ""
        super().__init__(f"{model}, {figure}: {measured} against {limit} ({place}), {over} over{where}")


class NotCountable(CheckFailed):
    """What is not counted cannot be under a limit."""

    def __init__(self, model: str, figure: str, limit: str, place: str, ops: Mapping[str, int]) -> None:
        calls = ", ".join(f"{op} ×{times}" for op, times in ops.items())
        super().__init__(
            f"{model}, {figure}: cannot be held to {limit} ({place}), for operators without a formula are not counted: "
            f"{calls}; register one (docs/extending.md), or allow them with max-unknown {sum(ops.values())}"
        )


class NotSure(CheckFailed):
    """What a header leaves open cannot be under a limit."""

    def __init__(self, model: str, figure: str, limit: str, place: str, doubt: Any) -> None:
        more = "" if doubt.more is None else f" ({doubt.more:,} more)"
        super().__init__(
            f"{model}, {figure}: cannot be held to {limit} ({place}), for {doubt.weight} is {doubt.says}{more}; put "
            "the config.json that says how it was quantised beside the file"
        )


class BudgetFailed(CheckFailed):
    """All that one model is over. `failures` has each by itself."""

    def __init__(self, failures: Sequence[ProfileError]) -> None:
        super().__init__("; and ".join(map(str, failures)))
        self.failures = tuple(failures)
        self.status = max((failure.status for failure in failures), default=1)


class NoSuchBudgetFile(ProfileError):
    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(
            f"{path} cannot be read ({error.strerror or first_line(error)}); name a budget file, or leave the name out "
            "for the nearest one"
        )


class NoBudgetFile(ProfileError):
    def __init__(self, folder: str) -> None:
        super().__init__(
            f"no budget file in {folder} or above it: neither profile-model.toml nor a pyproject.toml with "
            "[tool.profile-model]; profile-model resnet34 --init-budgets writes one"
        )


class BadBudgetFile(ProfileError):
    def __init__(self, path: str, line: int | None, why: str) -> None:
        super().__init__(f"{path}:{f'{line}:' if line else ''} {why}")


class CheckTakesNone(ProfileError):
    def __init__(self, spec: str) -> None:
        super().__init__(
            f"check takes its models from a budget file, FILE.toml, and {spec!r} is named as well; leave it out"
        )


class LimitsExist(ProfileError):
    def __init__(self, place: str, model: str) -> None:
        super().__init__(f"{place}: there are limits for {model!r} already; change them there, or delete them first")


class SameLabel(ProfileError):
    def __init__(self, label: str) -> None:
        super().__init__(f"two models are called {label!r}; give each a --label of its own")


class ListedAlready(ProfileError):
    def __init__(self, place: str, model: str) -> None:
        super().__init__(f"{place}: {model!r} is listed already; run --init-budgets without a model to give it limits")


class NothingToLimit(ProfileError):
    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: every model has limits already; delete those that are to be measured again")


class CannotAddLimits(ProfileError):
    def __init__(self, path: str, header: str) -> None:
        super().__init__(f"{path}: limits can be added to models that are written as {header} tables; write them so")


class GrewTooMuch(CheckFailed):
    """`grown` and the figures are in words: `102,600, 0.47 %`."""

    def __init__(
        self, model: str, figure: str, grown: str, before: str, after: str, allowed: Decimal, paths: Sequence[str]
    ) -> None:
        where = f"; the most in {_some([path or 'the model itself' for path in paths], 3)}" if paths else ""
        super().__init__(
            f"{model}: {figure} grew by {grown}, from {before} to {after}, and {allowed} % is allowed{where}"
        )


class GrewUnknown(CheckFailed):
    def __init__(self, model: str, ops: Mapping[str, int]) -> None:
        calls = ", ".join(f"{op} ×{times}" for op, times in ops.items())
        super().__init__(
            f"{model} calls operators that its baseline does not, and that have no formula: {calls}; how much its MACs "
            "and FLOPs grew is not known; register one (docs/extending.md)"
        )
