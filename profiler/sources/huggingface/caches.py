"""Which caches of keys and values can a model be run with, besides the one that it creates by default?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from profiler import errors
from profiler.sources.huggingface.configs import transformers

# By name: the library's own cache, from a configuration and the number of tokens of a sequence. Its caches of
# packed integers ("quanto", "hqq") are not among them: their kernels do not run on meta tensors.
_CACHES: Mapping[str, Callable[[Any, int], Any]] = {
    "dynamic": lambda config, tokens: transformers().DynamicCache(config=config),
    "static": lambda config, tokens: transformers().StaticCache(config=config, max_cache_len=tokens),
    "fp8": lambda config, tokens: transformers().QuantizedCache(backend="fp8", config=config),
}


def empty_cache(model: Any, kind: str, tokens: int, name: str) -> Any:
    """An empty cache for a model; raises `errors.ProfileError` where the library has none such for it."""
    try:
        return _CACHES[kind](model.config, tokens)
    except Exception as error:  # each kind has its own conditions, and a package that it needs
        raise _no_such_cache(name, kind, error) from error


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_cache(model: str, kind: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(f"{model} cannot be given a {kind} cache: {errors.first_line(error)}; leave out --cache")
