"""How is a model loaded from Python code? `FILE.py:CALLABLE` or `package.module:CALLABLE`.

The callable is a class or a factory; an instance will do as well.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from torch import nn

from profiler import errors
from profiler.engine.run.importing import importing_from
from profiler.engine.run.subject import Rebuilt, Subject
from profiler.engine.run.unrun import holding, takes_nothing
from profiler.records.spec import Feed, Spec
from profiler.sources import mistakes
from profiler.sources.arguments import spread
from profiler.sources.build import as_model, build, build_real

PREFIX = "python"


def load(spec: Spec, feed: Feed) -> Subject:
    target = attribute(spec)
    if isinstance(target, nn.Module):
        if spec.kwargs:
            raise errors.BadSpec(spec.text, f"{spec.target} is a model already and takes no arguments")
        return replace(_subject(spec, target, feed, None), folder=_folder(spec))
    if not callable(target):
        raise errors.not_a_model(spec.text, type(target).__name__)
    with importing_from(_folder(spec)):
        built = build(target, spec.kwargs, spec.text)
    rebuild = partial(build_real, target, spec.kwargs, spec.text)
    return replace(_subject(spec, built, feed, rebuild), folder=_folder(spec))


def _folder(spec: Spec) -> str:
    """Where its code finds the modules next to it: for a package the current folder, as it is for `python -m`."""
    where = spec.prefix or ""
    return str(Path(where).parent.absolute()) if where.endswith(".py") else ""


def _subject(spec: Spec, built: Any, feed: Feed, rebuild: Any) -> Subject:
    """What the callable returned is a model, or a model and its inputs."""
    model, inputs = _model_and_inputs(built)
    model = as_model(model, spec.text)
    if feed.is_given:
        build_model = None if rebuild is None else lambda: as_model(_model_and_inputs(rebuild())[0], spec.text)
        return Subject(model, spec.text, PREFIX, *spread(model, feed.args, feed.kwargs), build_model)
    if inputs is None and not takes_nothing(model):
        raise errors.InputsNeeded(spec.text, holding(model, spec.text, PREFIX))
    if inputs is None:
        return Subject(
            model, spec.text, PREFIX, (), {}, None if rebuild is None else lambda: as_model(rebuild(), spec.text)
        )
    if feed.batch is not None:
        raise _batch_needs_input(spec.text)
    rebuild_both = None if rebuild is None else lambda: _rebuilt(rebuild(), spec.text)
    return Subject(model, spec.text, PREFIX, *split_arguments(inputs), rebuild_both)


def _model_and_inputs(built: Any) -> tuple[Any, Any]:
    """A model, and the inputs that were built with it; None where there are none."""
    return built if isinstance(built, tuple) and len(built) == 2 else (built, None)


def _rebuilt(built: Any, name: str) -> Rebuilt:
    """The model and the inputs of a builder's second call: the first one's are of a model without weights."""
    model, inputs = _model_and_inputs(built)
    return Rebuilt(as_model(model, name), *split_arguments(inputs))


def split_arguments(inputs: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """A tuple is several positional arguments, a dict is keyword arguments, anything else one positional argument."""
    if isinstance(inputs, dict):
        return (), inputs
    return (inputs if isinstance(inputs, tuple) else (inputs,)), {}


def attribute(spec: Spec) -> Any:
    """What `FILE.py:CALLABLE` or `package.module:CALLABLE` names; raises `errors.ProfileError`."""
    with importing_from(_folder(spec)):
        module = _module(spec)
    value: Any = module
    for name in spec.target.split("."):
        if not hasattr(value, name):
            raise mistakes.no_such_callable(spec.prefix or "", spec.target, _callables(module))
        value = getattr(value, name)
    return value


def _callables(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if name[0] != "_" and callable(value)]


def _module(spec: Spec) -> ModuleType:
    where = spec.prefix or ""
    try:
        return _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except errors.ProfileError:
        raise
    except Exception as error:
        raise errors.cannot_import(where, error) from error


class _FromSource(SourceFileLoader):
    """Compiles a file as it is now: to Python's cache, one of the same size from the same second is the same."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _from_file(path: Path) -> ModuleType:
    name = f"_profiled_{path.stem}"
    loader = _FromSource(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


# Error messages -------------------------------------------------------------------------------------------------------


def _batch_needs_input(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} brings its own inputs, which --batch cannot scale; give shapes with --input")
