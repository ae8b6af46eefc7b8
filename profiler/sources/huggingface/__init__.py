"""How is a model of Hugging Face transformers loaded? `hf:FOLDER`, `hf:ID`, `hf:LlamaConfig(num_hidden_layers=2)`.

Weights are never fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from profiler.engine.run.subject import Subject
from profiler.records.spec import Feed, Spec
from profiler.sources.build import as_model, build, build_real
from profiler.sources.huggingface.bounds import check_tokens, counted
from profiler.sources.huggingface.configs import config_of, quiet
from profiler.sources.huggingface.feeds import model_arguments, most_tokens
from profiler.sources.huggingface.heads import head
from profiler.sources.huggingface.kernels import without_kernels

PREFIX = "hf"


def load(spec: Spec, feed: Feed) -> Subject:
    check_tokens(feed.seq)
    with quiet(), counted():
        config = config_of(spec, feed.trusts_code)
        left_out = () if feed.trusts_code else without_kernels(config)
        builder = _builder(config, spec, feed.trusts_code)
        model = as_model(build(builder, {}, spec.text, is_small=False), spec.text)
        args, kwargs = model_arguments(model, feed, spec.text)
    rebuild = partial(build_real, builder, {}, spec.text)
    return Subject(model, spec.text, PREFIX, args, kwargs, rebuild, tuple(_notes(model, config, feed, left_out)))


def converts(subject: Subject) -> bool:
    """Whether loading a checkpoint takes more than renames: the library stacks the experts of a mixture."""
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
    except ImportError:  # transformers 4 does not stack experts either
        return False
    model: Any = subject.model
    return any(type(step).__name__ == "WeightConverter" for step in get_model_conversion_mapping(model))


def _notes(model: Any, config: Any, feed: Feed, left_out: tuple[str, ...]) -> Iterator[str]:
    if left_out:
        yield (
            f"Its configuration asks for kernels that are code of their own, which was neither fetched nor run "
            f"({_some(left_out)}): what the library does with torch alone is counted."
        )
    if getattr(config, "auto_map", None) and not feed.trusts_code:
        yield f"Its files bring code of their own, which was not run: this is the library's {type(model).__name__}."
    positions = most_tokens(model)
    if feed.seq is not None and positions is not None and feed.seq > positions:
        yield f"{feed.seq:,} tokens are more than the {positions:,} positions that its configuration has."
    quantisation = getattr(config, "quantization_config", None)
    if quantisation:
        get = quantisation.get if isinstance(quantisation, dict) else partial(getattr, quantisation)
        bits = get("bits", None)
        words = f"{get('quant_method', 'some method')}{f', {bits} bits' if bits else ''}"
        dtype = str(model.dtype).removeprefix("torch.")
        yield (
            f"Its configuration says that its weights are quantised ({words}); here they are the {dtype} weights "
            "before that. What the quantised ones take, a profile of the checkpoint tells."
        )


def _builder(config: Any, spec: Spec, trusts_code: bool) -> Callable[[], Any]:
    """The function that builds the model. A model may change its configuration, so each gets a copy."""
    remote = (getattr(config, "auto_map", None) or {}) if trusts_code else {}
    cls = _remote_class(config, remote, spec) or head(config, spec)
    return lambda: cls._from_config(deepcopy(config))


def _remote_class(config: Any, remote: dict[str, str], spec: Spec) -> Any:
    """The class that comes with the model's files, in code that the user trusts."""
    name = next((reference for key, reference in remote.items() if key.startswith("AutoModel")), None)
    if name is None:
        return None
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    return get_class_from_dynamic_module(name, spec.target)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name[:60]) for name in names[:3]) + ", ..." * (len(names) > 3)
