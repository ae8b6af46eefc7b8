"""What are the phases of a language model? The prefill of a prompt, then decode steps, each going on from a cache.

A decode step is a run of its own, of one token a sequence. It is given the cache that the run before it returned, and
may release what it replaces of it. Caches are the model's own objects; see `cache.py`.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from profiler import errors
from profiler.engine.record import cache
from profiler.engine.run.feed import has_one_shape
from profiler.engine.run.running import run
from profiler.engine.run.subject import Subject
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.inputs import TensorSpec
from profiler.records.trace import Trace

_TOKENS = ("decoder_input_ids", "input_ids")  # the former is what a decoder is fed, where there are both
_DECODED = ("decoder_input_ids", "decoder_attention_mask")
_ENCODED, _ENCODER = "encoder_last_hidden_state", "encoder_outputs"  # what it returns, and takes again


class Phases:
    """A model and its prompt. `decode` comes after `prefill`, as often as tokens are wanted."""

    def __init__(self, subject: Subject, under: Conditions = AS_IT_IS) -> None:
        self._subject = subject
        self._under = under
        self._next: Subject | None = None
        self.context = 0  # tokens a sequence that were read so far

    def prefill(self) -> Trace:
        record, output = run(self._subject, self._under)
        ids = _ids(self._subject)
        self._next = None if ids is None else _following(self._subject, ids, output)
        self.context = 0 if ids is None else int(ids.shape[-1])
        return self._with_conditions(record, {})

    def decode(self) -> Trace:
        """One step; raises `errors.ProfileError` where the model gave nothing to go on from."""
        if self._next is None:
            raise _no_decode(self._subject.name)
        record, output = run(self._next, self._under)
        state = cache.returned(output)
        if state is None:
            raise _no_decode(self._subject.name)
        self._next = dataclasses.replace(self._next, cache=dict([state]))
        self.context += 1
        return self._with_conditions(record, {"phase": "decode", "context": self.context - 1})

    def at(self, context: int) -> Phases:
        """The same model with a prompt of another length: cut, or its last token again and again."""
        other = copy.copy(self)
        other._subject, other._next, other.context = _of_length(self._subject, context), None, 0
        return other

    def _with_conditions(self, record: Trace, conditions: Mapping[str, Any]) -> Trace:
        return dataclasses.replace(record, asked={**record.asked, **conditions})


def length(subject: Subject) -> int:
    """Tokens a sequence of the prompt."""
    ids = _ids(subject)
    if ids is None:
        raise _no_tokens(subject.name)
    return int(ids.shape[-1])


def _ids(subject: Subject) -> Any:
    """The prompt's token ids, of one row a sequence; None where the model is fed none."""
    named = (subject.kwargs.get(name) for name in _TOKENS)
    return next((value for value in (*named, *subject.args) if _are_ids(value)), None)


def _of_length(subject: Subject, context: int) -> Subject:
    """Whatever says something of each token is as long as the tokens; an encoder's input stays as it is."""
    ids = _ids(subject)
    if ids is None:
        raise _no_tokens(subject.name)
    is_encoded = subject.kwargs.get(_TOKENS[0]) is ids

    def sized(name: str, value: Any) -> Any:
        is_of_tokens = _are_ids(value) and tuple(value.shape) == tuple(ids.shape)
        return _with_length(value, context) if is_of_tokens and (not is_encoded or name in _DECODED) else value

    kwargs = {name: sized(name, value) for name, value in subject.kwargs.items()}
    return dataclasses.replace(subject, args=tuple(sized("", value) for value in subject.args), kwargs=kwargs)


def _with_length(ids: Any, length: int) -> Any:
    if isinstance(ids, TensorSpec):
        return dataclasses.replace(ids, shape=(ids.shape[0], length))
    more = max(0, length - int(ids.shape[1]))
    return torch.cat([ids[:, :length], ids[:, -1:].expand(-1, more)], dim=1)


def _are_ids(value: Any) -> bool:
    if not has_one_shape(value) or len(value.shape) != 2:
        return False
    dtype = getattr(torch, value.dtype) if isinstance(value, TensorSpec) else value.dtype
    return not (dtype.is_floating_point or dtype.is_complex or dtype is torch.bool)


def _following(subject: Subject, ids: Any, output: Any) -> Subject | None:
    """The model with what one more token is read with; None where it returned no cache, or takes none."""
    state = cache.returned(output)
    if state is None or not _takes(subject.model, state[0]):
        return None
    token = _last_token(ids)
    name = next((name for name in _TOKENS if subject.kwargs.get(name) is ids), None)
    tokens = {} if name is None else {name: token}
    encoded = dict(_encoded(output)) if name == _TOKENS[0] else {}
    args = (token,) if name is None else ()
    return dataclasses.replace(subject, args=args, kwargs={**tokens, **encoded}, cache=dict([state]))


def _takes(model: nn.Module, name: str) -> bool:
    parameters = inspect.signature(model.forward).parameters
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _last_token(ids: Any) -> Any:
    """The last token of each sequence."""
    return dataclasses.replace(ids, shape=(ids.shape[0], 1)) if isinstance(ids, TensorSpec) else ids[:, -1:]


def _encoded(output: Any) -> Iterator[tuple[str, Any]]:
    """What the encoder made of the prompt: it does not run again."""
    hidden = getattr(output, _ENCODED, None)
    if isinstance(hidden, torch.Tensor):
        yield _ENCODER, (hidden,)


# Error messages -------------------------------------------------------------------------------------------------------


def _no_decode(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} returns no cache of the tokens it has read, so it has no decode steps; take --phase prefill, or "
        "a model that generates text (use_cache=True)"
    )


def _no_tokens(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} is not fed token ids of shape BATCHxLENGTH, so it has no phases of text generation"
    )
