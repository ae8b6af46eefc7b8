"""Which model do you mean? From a spec such as `resnet34(num_classes=10)` to a model and its inputs.

One file a kind of source; each has `PREFIX`, the name before the colon, and `load(spec, feed)`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.records.spec import Feed, Published, Spec, parse
from profiler.records.trace import Trace
from profiler.sources import mistakes, suffixes
from profiler.sources.zoos import ZOOS, has, matching, names

if TYPE_CHECKING:
    from profiler.engine.run.subject import Subject

__all__ = [
    "Feed",
    "Published",
    "Spec",
    "converts",
    "holds_weights_alone",
    "is_architecture",
    "is_built",
    "load",
    "matching",
    "names",
    "needs_torch",
    "parse",
    "published",
    "subject_of",
]

_CHECKPOINT = "checkpoints.source"
_TRANSFORMERS = "hf"  # the prefix of models that --seq and --trust-remote-code apply to
# By prefix: sources of architectures, which are built without weights.
PREFIXES: Mapping[str, str] = {**{zoo: zoo for zoo in ZOOS}, _TRANSFORMERS: "huggingface"}
# Kinds of files, by suffix.
_OF_FILES: Mapping[str, str] = {
    **dict.fromkeys(suffixes.SUFFIXES, _CHECKPOINT),
    suffixes.INDEX: _CHECKPOINT,  # which ends in .json too
    ".json": "saved",
    ".json.gz": "saved",
    ".pt2": "exported",
    ".onnx": "onnx.source",
}
_RECORDED = ("saved", "onnx.source")
_PUBLISHING = ("torchvision",)  # timm's accuracies are not in its package


def load(text: str, feed: Feed | None = None) -> Subject | Trace:
    """Find what a spec names: a model with its inputs, or a trace: a saved one, or that of a model that is not run."""
    feed = feed or Feed()
    try:
        subject = _loaded(text, feed)
    except errors.InputsNeeded as needed:
        if feed.is_run or needed.held is None:
            raise
        trace: Trace = needed.held()
        return trace
    return subject if feed.is_run or isinstance(subject, Trace) else _not_run(subject)


def _not_run(subject: Subject) -> Trace:
    from profiler.engine.run.unrun import not_run

    return not_run(subject.model, subject.name, subject.source, subject.notes)


def _loaded(text: str, feed: Feed) -> Subject | Trace:
    mistakes.check_text(text)
    spec = parse(text)
    if spec.prefix != _TRANSFORMERS and (feed.seq is not None or feed.trusts_code):
        raise _only_transformers(text, "--trust-remote-code" if feed.seq is None else "--seq")
    kind = _of_file(spec)
    if kind is not None:
        return _source(kind).load(spec, feed)  # type: ignore[no-any-return]
    if spec.prefix == _TRANSFORMERS and _is_weights_alone(spec):
        return _source(_CHECKPOINT).load(replace(spec, text=f"{spec.text}/"), feed)  # type: ignore[no-any-return]
    return _source(_of_architecture(spec)).load(spec, feed)  # type: ignore[no-any-return]


def _of_architecture(spec: Spec) -> str:
    """The source of a spec that names no file; raises where it is clear without torch that there is no such model."""
    if spec.prefix is None:
        return _of_name(spec)
    if spec.prefix in ZOOS and not has(spec.prefix, spec.target):
        raise mistakes.no_such_in_zoo(spec.prefix, spec)
    if spec.prefix not in PREFIXES:
        mistakes.check_code(spec)
    return PREFIXES.get(spec.prefix, "python")


def _of_name(spec: Spec) -> str:
    """The first zoo that has a model of that name, else the file or folder of that name."""
    if spec.target.endswith(".py"):
        raise mistakes.no_callable(spec.target)
    missing = []
    for zoo in ZOOS:
        try:
            if has(zoo, spec.target):
                return zoo
        except errors.MissingPackage as error:
            missing.append(error)
    if os.path.exists(spec.target):
        return _CHECKPOINT
    raise mistakes.no_such_name(spec, missing)


def subject_of(model: Any, feed: Feed) -> Subject:
    """A model object, with its inputs."""
    return _source("live").load(model, feed)  # type: ignore[no-any-return]


def holds_weights_alone(text: str) -> bool:
    """Whether a spec names a checkpoint, which is read and cannot be run."""
    try:
        return _of_file(parse(text)) == _CHECKPOINT
    except errors.BadSpec:
        return False


def needs_torch(text: str) -> bool:
    """Whether a spec's model has to be run, and is no record that is read from a file."""
    try:
        return _of_file(parse(text)) not in (_CHECKPOINT, *_RECORDED)
    except errors.BadSpec:
        return False


def is_architecture(text: str) -> bool:
    """Whether a spec names a model of a library, which is built without weights, or with random ones."""
    spec = parse(text)
    return spec.prefix in PREFIXES or (spec.prefix is None and _of_file(spec) is None)


def is_built(text: str) -> bool:
    """Whether a spec names what is here, and torch builds and runs: a library's architecture, or code."""
    try:
        spec = parse(text)
    except errors.BadSpec:
        return False
    if _of_file(spec) is not None or (spec.prefix is None and spec.target.endswith(".py")):
        return False
    return spec.prefix != _TRANSFORMERS or not _source("hub").is_name(spec.target)


def converts(text: str, feed: Feed) -> bool:
    """Whether a library merges or splits the tensors of a spec's model while it loads them from a checkpoint."""
    if parse(text).prefix != _TRANSFORMERS:
        return False
    is_converted: bool = _source("huggingface").converts(load(text, feed))
    return is_converted


def published(trace: Trace, params: int) -> Published | str:
    """What is published about how good a model's weights are; or why that does not hold for what was run."""
    if trace.source not in _PUBLISHING:
        return f"only {' and '.join(_PUBLISHING)} publishes it with its models"
    shapes = [i.shape for i in trace.inputs]
    answer: Published | str = _source(trace.source).published(parse(trace.model), shapes, params)
    return answer


def _of_file(spec: Spec) -> str | None:
    """The kind of a file, by suffix. Another path is a checkpoint where it exists: a model's name may look like one."""
    kind = next((kind for suffix, kind in _OF_FILES.items() if spec.target.endswith(suffix)), None)
    if spec.prefix == _TRANSFORMERS:
        return _CHECKPOINT if _source("checkpoints").is_remote(spec.text) else None
    if spec.prefix is not None:
        return None if kind == _CHECKPOINT else kind
    is_path = os.sep in spec.target or spec.target in (os.curdir, os.pardir)
    is_code = spec.target.endswith(".py")
    return _CHECKPOINT if kind is None and is_path and not is_code and os.path.exists(spec.target) else kind


def _is_weights_alone(spec: Spec) -> bool:
    """Whether a model of the hub has weights and no configuration, as one in GGUF may."""
    hub = _source("hub")
    if not hub.is_name(spec.target):
        return False
    try:
        hub.reaches(spec.target)
    except hub.NoConfiguration:
        if spec.kwargs or not hub.is_weights_alone(spec.text):
            raise
        return True
    return False


def _source(name: str) -> Any:
    return import_module(f"profiler.sources.{name}")


# Error messages -------------------------------------------------------------------------------------------------------


def _only_transformers(spec: str, option: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{option} is for models of transformers, such as hf:FOLDER, and {spec} is none; leave it out"
    )
