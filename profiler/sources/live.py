"""What is a model object fed? The user's inputs, or those that a configuration of transformers implies."""

from __future__ import annotations

from typing import Any

from profiler import errors
from profiler.engine.run.subject import Subject
from profiler.engine.run.unrun import holding, takes_nothing
from profiler.records.spec import Feed
from profiler.sources.arguments import spread

SOURCE = "live"


def load(model: Any, feed: Feed) -> Subject:
    """Raises `errors.ProfileError`, and `errors.InputsNeeded` where nothing says what the model takes."""
    name = type(model).__name__
    if isinstance(model, type):
        raise _is_class(model.__name__)
    if not callable(getattr(model, "named_modules", None)):
        raise errors.not_a_model("the object given", name)
    if feed.is_given:
        return Subject(model, name, SOURCE, *spread(model, feed.args, feed.kwargs))
    if not _is_of_transformers(model):
        if takes_nothing(model):
            return Subject(model, name, SOURCE, ())
        raise errors.InputsNeeded(name, holding(model, name, SOURCE))
    from profiler.sources.huggingface.feeds import model_arguments

    return Subject(model, name, SOURCE, *model_arguments(model, feed, name))


def _is_of_transformers(model: Any) -> bool:
    return hasattr(model, "input_modalities") and hasattr(model, "config")


# Error messages -------------------------------------------------------------------------------------------------------


def _is_class(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"{name} is a class; give a model that is built, like {name}(...)")
