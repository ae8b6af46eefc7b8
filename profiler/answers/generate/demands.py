"""What does a phase ask of the devices that serve it? Its products, the weights that they read, the cache.

An engine that serves a model computes the same products as the model, and not always all of them: of the logits those
that the next token is chosen by; of a causal attention what no mask hides; of what is projected from the cache only
what is new. Everything that lies between two products can be computed along with them, in the caches of the device.
So only products are counted, and only bytes that no kernel can do without: each weight once (of a mixture the experts
that some token is sent to), and the cache once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import NamedTuple

from profiler.answers.generate.attention import attention
from profiler.answers.generate.phases import Phase
from profiler.devices.work import multiplied
from profiler.figures.cache import cache_bytes
from profiler.figures.experts import Mixture, distinct_experts, mixtures
from profiler.ops import cost, family
from profiler.records.trace import Signature, Tensor, Trace, Weight, tensors

_ATTENTION, TABLES = "attention", "embedding"


class Stored(NamedTuple):
    """How a weight is kept: bytes, and the dtype that kernels of its format can multiply in, where that is another."""

    size_bytes: int
    multiplied: str | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """One call, for all sequences and before anything is divided.

    layer: the place among the model's layers. dtypes: what its product can be computed in.
    weight_bytes: of matrices and tables, which can be divided; replicated_bytes: of all else. cache_bytes: what is read
    or written of the cache. experts, chosen: of a mixture whose product it is. activation_bytes: what a product reads
    and writes besides. is_of_rows: its weights are the rows of a table that tokens stand for, and not all of it.
    """

    layer: int
    flops: float
    dtypes: tuple[str, ...]
    weight_bytes: int = 0
    replicated_bytes: int = 0
    cache_bytes: float = 0.0
    experts: int = 0
    chosen: int = 0
    tokens: int = 0
    activation_bytes: int = 0
    is_of_rows: bool = False

    def weights_read(self, share: float, degree: int, groups: int = 1) -> float:
        """Bytes that a device reads for a share of the tokens, where so many share each matrix.

        groups: of devices, among which experts are divided.
        """
        read = share if self.is_of_rows else 1.0
        if self.experts:
            read = self.met(share, groups) / self.experts
        return read * self.weight_bytes / degree + self.replicated_bytes

    def met(self, share: float, groups: int = 1) -> float:
        """How many experts of each group a share of the tokens is sent to, in expectation.

        All groups are alike where tokens are sent at random, and one of them has no less of a token's than their mean.
        """
        distinct = distinct_experts(self.experts, self.chosen, share * self.tokens)
        return max(distinct / groups, float(ceil(self.chosen / groups)))


class Demands:
    """Those of a phase. `decode` is a decode step's, which shows how many tokens each attention looks at."""

    def __init__(self, phase: Phase, decode: Phase, stored: Mapping[int, Stored], layers: list[int]) -> None:
        self._phase, self._trace, self._stored, self._layers = phase, phase.trace, stored, layers
        self._weights = {weight.storage: weight for weight in self._trace.parameters if weight.same_as is None}
        self._mixtures = {mixture.module: mixture for mixture in mixtures(self._trace)}
        self._attention = dict(attention(self._trace))
        self._seen = _keys_seen(decode)

    def __iter__(self) -> Iterator[Demand]:
        read: set[int] = set()
        cached = cache_bytes(self._trace) / max(1, sum(self._attention.values()))
        last = max(
            (p for p, _ in enumerate(self._trace.calls) if self._macs(p) and p not in self._attention), default=-1
        )
        for position, call in enumerate(self._trace.calls):
            new = [self._weights[i] for i in call.reads if i in self._weights and i not in read]
            signature = self._trace.signatures[call.signature]
            if position in self._attention:
                yield self._of_attention(position, signature, cached)
            elif family(signature.op) == TABLES:
                yield self._of_rows(position, signature)
            elif self._macs(position) or (new and _reads(signature)):
                read.update(weight.storage for weight in new)
                yield self._of_product(position, signature, new, position == last)
        if not self._attention:
            yield Demand(0, 0.0, (), cache_bytes=cache_bytes(self._trace))

    def _macs(self, position: int) -> int:
        amount = cost(self._signature(position))
        return 0 if amount is None else int(amount.macs)

    def _signature(self, position: int) -> Signature:
        return self._trace.signatures[self._trace.calls[position].signature]

    def _of_rows(self, position: int, signature: Signature) -> Demand:
        """Of a table those rows that are looked up."""
        size = sum(tensor.size_bytes for tensor in tensors(signature.output))
        return Demand(self._layers[position], 0.0, (), weight_bytes=size, is_of_rows=True)

    def _of_product(self, position: int, signature: Signature, new: list[Weight], is_last: bool) -> Demand:
        call, macs = self._trace.calls[position], self._macs(position)
        mixture = self._mixtures.get(call.module)
        of_experts = mixture is not None and (macs or any(mixture.holds(weight) for weight in new))
        matrices = [weight for weight in new if weight.tensor.ndim > 1]
        share, first = self._share(signature, is_last, mixture), next(tensors(signature.args), None)
        moved = (0 if first is None else first.size_bytes) + sum(t.size_bytes for t in tensors(signature.output))
        kept = [self._stored[i] for i in call.reads if i in self._stored]
        return Demand(
            self._layers[position],
            2 * macs * share,
            _dtypes(signature, *(stored.multiplied for stored in kept)),
            sum(self._stored[weight.storage].size_bytes for weight in matrices),
            sum(self._stored[weight.storage].size_bytes for weight in new if weight.tensor.ndim <= 1),
            experts=mixture.experts if mixture and of_experts else 0,
            chosen=mixture.chosen if mixture and of_experts else 0,
            tokens=self._phase.tokens,
            activation_bytes=int(moved * share) if macs else 0,
        )

    def _share(self, signature: Signature, is_last: bool, mixture: Mixture | None) -> float:
        """How much of a product is needed: the last for one token a sequence, none again for what was read before."""
        rows, sequences, tokens = _rows(signature), self._phase.sequences, self._phase.tokens
        if is_last and rows == tokens:
            return sequences / rows
        is_of_context = mixture is None and tokens == sequences and rows == sequences * (self._phase.context + 1)
        return sequences / rows if is_of_context else 1.0

    def _of_attention(self, position: int, signature: Signature, cached: float) -> Demand:
        """Its part of the cache is by how much it multiplies."""
        macs = self._attention[position]
        module = self._trace.modules[self._trace.calls[position].module].path
        length, keys = self._phase.length, _keys(signature)
        share = causal_share(length, self._seen[module], keys or length) if module in self._seen else 1.0
        kept = {"float8" for part in self._trace.cache if part.tensor.dtype.startswith("float8")}
        dtypes = _dtypes(signature, *kept)
        return Demand(self._layers[position], 2 * macs * share, dtypes, cache_bytes=cached * macs)


def _reads(signature: Signature) -> bool:
    """Whether it reads what it is given: a view does not."""
    amount = cost(signature)
    return amount is None or bool(amount.bytes_read)


def _rows(signature: Signature) -> int:
    output = next(tensors(signature.output), None)
    return prod(output.shape[:-1]) if output is not None else 0


def _dtypes(signature: Signature, *others: str | None) -> tuple[str, ...]:
    own = multiplied(list(tensors(signature.args)))
    return tuple(dict.fromkeys((own, *(dtype for dtype in others if dtype is not None))))


def _keys_seen(decode: Phase) -> dict[str, int]:
    """How many tokens a query of each attention module looks at in a decode step: fewer than were read in a window."""
    trace, seen = decode.trace, {}
    for position, _ in attention(trace):
        call = trace.calls[position]
        signature = trace.signatures[call.signature]
        keys = _keys(signature) or decode.context + 1
        seen[trace.modules[call.module].path] = min(keys, decode.context + 1)
    return seen


def _keys(signature: Signature) -> int | None:
    """How many tokens an attention has keys of; None of a product that does not say."""
    keys = signature.args[1] if _ATTENTION in signature.op and len(signature.args) > 1 else None
    return keys.shape[-2] if isinstance(keys, Tensor) and keys.ndim > 1 else None


def causal_share(length: int, seen: int, keys: int) -> float:
    """Which share of length x keys pairs is left where each token looks at itself and at most `seen` - 1 before it.

    One token alone looks at all keys.
    """
    window = min(length, seen)
    return 1.0 if length == 1 else (window * (window + 1) / 2 + (length - window) * window) / (length * keys)


# Layers ---------------------------------------------------------------------------------------------------------------


def layers(trace: Trace) -> tuple[list[int], int]:
    """The place of every call among the model's layers, and how many these are.

    Layers are the topmost modules whose names are numbers. What runs before the first belongs to it, and whatever runs
    between or after others to the last that has begun.
    """
    places: dict[str, int] = {}
    place, of_calls = 0, []
    for call in trace.calls:
        path = _numbered(trace.modules[call.module].path)
        if path is not None:
            place = places.setdefault(path, len(places))
        of_calls.append(place)
    return of_calls, len(places)


def _numbered(path: str) -> str | None:
    names = path.split(".")
    first = next((index for index, name in enumerate(names) if name.isdecimal()), None)
    return None if first is None else ".".join(names[: first + 1])
