"""The phases of a language model: the prefill of a prompt, then decode steps, each of which goes on from a cache.

A decode step is a run of its own, of one token a sequence. It is given the cache that the run before it returned, and
may release what it replaces of it. Caches are the model's own objects; see `cache.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from profiler import errors
from profiler.conditions import AS_IT_IS, Conditions
from profiler.inputs import TensorSpec
from profiler.records import Trace
from profiler.trace import cache
from profiler.trace.prepare import prepared
from profiler.trace.run import run
from profiler.trace.subject import Subject

_TOKENS = ("decoder_input_ids", "input_ids")  # the former is what a decoder is fed, where there are both
_ENCODED, _ENCODER = "encoder_last_hidden_state", "encoder_outputs"  # what it returns, and takes again


class Phases:
    """A model and its prompt. `decode` comes after `prefill`, as often as tokens are wanted."""

    def __init__(self, subject: Subject, under: Conditions = AS_IT_IS) -> None:
        self._subject = subject if under == AS_IT_IS else prepared(subject, under)
        self._said = under.said()
        self._next: Subject | None = None
        self.context = 0  # tokens a sequence that were read so far

    def prefill(self) -> Trace:
        found, output = run(self._subject)
        ids = _ids(self._subject)
        self._next = None if ids is None else _following(self._subject, ids, output)
        self.context = 0 if ids is None else int(ids.shape[-1])
        return self._known(found, {})

    def decode(self) -> Trace:
        """One step; raises `errors.NoDecode` where the model gave nothing to go on from."""
        if self._next is None:
            raise errors.NoDecode(self._subject.name)
        found, output = run(self._next)
        kept = cache.returned(output)
        if kept is None:
            raise errors.NoDecode(self._subject.name)
        self._next = dataclasses.replace(self._next, cache=dict([kept]))
        self.context += 1
        return self._known(found, {"phase": "decode", "context": self.context - 1})

    def _known(self, found: Trace, said: Mapping[str, Any]) -> Trace:
        return dataclasses.replace(found, asked={**found.asked, **self._said, **said})


def _ids(subject: Subject) -> Any:
    """The prompt's token ids, of one row a sequence; None where the model is fed none."""
    named = (subject.kwargs.get(name) for name in _TOKENS)
    return next((given for given in (*named, *subject.args) if _are_ids(given)), None)


def _are_ids(given: Any) -> bool:
    if not isinstance(given, (torch.Tensor, TensorSpec)) or len(given.shape) != 2:
        return False
    dtype = getattr(torch, given.dtype) if isinstance(given, TensorSpec) else given.dtype
    return not (dtype.is_floating_point or dtype.is_complex or dtype is torch.bool)


def _following(subject: Subject, ids: Any, output: Any) -> Subject | None:
    """The model with what one more token is read with; None where it returned no cache."""
    kept = cache.returned(output)
    if kept is None:
        return None
    token = _one_of(ids)
    name = next((name for name in _TOKENS if subject.kwargs.get(name) is ids), None)
    given = {} if name is None else {name: token}
    encoded = dict(_encoded(output)) if name == _TOKENS[0] else {}
    args = (token,) if name is None else ()
    return dataclasses.replace(subject, args=args, kwargs={**given, **encoded}, cache=dict([kept]))


def _one_of(ids: Any) -> Any:
    """The last token of each sequence."""
    return dataclasses.replace(ids, shape=(ids.shape[0], 1)) if isinstance(ids, TensorSpec) else ids[:, -1:]


def _encoded(output: Any) -> Iterator[tuple[str, Any]]:
    """What the encoder made of the prompt: it does not run again."""
    found = getattr(output, _ENCODED, None)
    if isinstance(found, torch.Tensor):
        yield _ENCODER, (found,)
