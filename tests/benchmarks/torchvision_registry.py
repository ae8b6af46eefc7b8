"""Every model of torchvision, and every published weight entry, against torchvision's own figures.

Each of `list_models()` is profiled by its bare name, as a user types it, and once for each weight entry, as
`NAME(weights="ENTRY")`, which is the published architecture at the size that the entry's transforms say. Two figures
are compared with the entry's metadata: parameters with `num_params`, exactly, and MACs, in billions, with `_ops`, to
its three decimals. A bare name, which is the model that its builder gives without weights, is compared with its default
entry.

What differs must stand in `DOCUMENTED` with its true reason, and what stands there must still differ. A reason is
proved: it says what it is worth in parameters and MACs, and with that the figures must agree as exactly.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

from torchvision.models import get_model_weights, list_models

from profiler import Profile, ProfileError, profile
from profiler.figures.layers import Layer
from profiler.records.trace import tensors
from tests.benchmarks.progress import track


class Correction(Protocol):
    """What a reason is worth: the parameters and MACs to add to ours to get torchvision's."""

    def __call__(self, found: Profile) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Regions:
    """Heads that run once for every region (box) which the model finds; torchvision found `published` of them."""

    heads: tuple[str, ...]
    published: int

    def __call__(self, found: Profile) -> tuple[int, int]:
        entering = next(tensors(found[self.heads[0]].inputs), None)
        ours = entering.shape[0] if entering else 0
        if ours == 0:  # nothing to measure a region's cost with
            return 0, 0
        return 0, sum(_macs(found[head]) for head in self.heads) * (self.published - ours) // ours


@dataclass(frozen=True, slots=True)
class Surplus:
    """Layers that we have and the published model has not."""

    paths: tuple[str, ...]

    def __call__(self, found: Profile) -> tuple[int, int]:
        layers = [found[path] for path in self.paths]
        return -sum(layer.params for layer in layers), -sum(_macs(layer) for layer in layers)


@dataclass(frozen=True, slots=True)
class Missing:
    """Layers that the published model has and ours has not."""

    paths: tuple[str, ...]

    def __call__(self, found: Profile) -> tuple[int, int]:
        published = profile(f'{found.model}(weights="DEFAULT")')
        params, macs = Surplus(self.paths)(published)
        return -params, -macs


@dataclass(frozen=True, slots=True)
class FrozenNorms:
    """Batch norms under `path` whose parameters are buffers in the published model."""

    path: str

    def __call__(self, found: Profile) -> tuple[int, int]:
        inside = [layer for layer in found.layers if layer.path.startswith(self.path)]
        return -sum(layer.params for layer in inside if layer.kind == "BatchNorm2d"), 0


@dataclass(frozen=True, slots=True)
class FoldedNorms:
    """What is left of batch norms in a quantised model: of a scale and a shift for each channel, one bias.

    `without` are paths that are not in the published model, and accounted for by themselves.
    """

    without: tuple[str, ...] = ()

    def __call__(self, found: Profile) -> tuple[int, int]:
        plain = _in_float(found)
        inside = [layer for layer in plain.layers if not layer.path.startswith(self.without or ("(none)",))]
        return sum(layer.own.params for layer in inside if layer.kind == "BatchNorm2d") // 2, 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """Layers of the float model, that do not run outside of training and that the quantised one is built without."""

    path: str

    def __call__(self, found: Profile) -> tuple[int, int]:
        return _in_float(found)[self.path].params, 0


def _in_float(found: Profile) -> Profile:
    return profile(f"{found.model.partition('(')[0]}(quantize=False)")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why figures differ from torchvision's. Together, the corrections must explain all of the difference."""

    text: str
    corrections: tuple[Correction, ...]

    def __and__(self, other: Reason) -> Reason:
        return Reason(f"{self.text}; and {other.text}", self.corrections + other.corrections)


def _spec(name: str, entry: Any) -> str:
    return f'{name}(weights="{entry.name}")'


def _entries(name: str) -> list[str]:
    return [_spec(name, entry) for entry in get_model_weights(name)]


def _found(ours: str, theirs: str, regions: Regions) -> Reason:
    text = (
        f"data-dependent: {' and '.join(regions.heads)} run once a region, and how many there are is for the weights "
        f"to say; random ones {ours}, the trained ones that torchvision measured {theirs}"
    )
    return Reason(text, (regions,))


_BOXES = ("roi_heads.box_head", "roi_heads.box_predictor")
_MASKS = ("roi_heads.mask_head", "roi_heads.mask_predictor")
_KEYPOINTS = ("roi_heads.keypoint_head", "roi_heads.keypoint_predictor")
_PROPOSED_NONE = _found("propose hundreds", "proposed none", Regions(_BOXES, 0))
_PROPOSED_ALL = _found("propose fewer", "proposed as many as are let through, 1000", Regions(_BOXES, 1000))
_NO_MASKS = _found("find as many objects as are let through, 100", "found none", Regions(_MASKS, 0))
_NOBODY = _found("find somebody", "found nobody", Regions(_KEYPOINTS, 0))
_FROZEN = Reason(
    "built without weights, the backbone trains its batch norms; the published one has frozen ones, whose scale and "
    "shift are buffers",
    (FrozenNorms("backbone.body"),),
)
_NO_AUXILIARY = Reason(
    "built without weights it has no auxiliary classifier; the published one has", (Missing(("aux_classifier",)),)
)
_AUXILIARY = Reason(
    "built without weights it has two auxiliary heads, for training; they are left out of the published one",
    (Surplus(("aux1", "aux2")),),
)

_FOLDED_WORDS = (
    "num_params is the float model's; quantised, each batch norm is folded into the convolution before it, which "
    "leaves one bias a channel of its scale and shift"
)
_DROPPED = Reason(
    "the auxiliary classifier, for training, is counted, and with weights the quantised model is built without it",
    (Dropped("AuxLogits"),),
)


def _folded(*without: str) -> Reason:
    return Reason(_FOLDED_WORDS, (FoldedNorms(without),))


_QUANTISED = [name for name in list_models() if any("backend" in entry.meta for entry in get_model_weights(name))]

# Each spec that shows what its weight entry does not say. A bare name is compared with its default entry.
DOCUMENTED: Mapping[str, Reason] = {
    'fasterrcnn_mobilenet_v3_large_320_fpn(weights="COCO_V1")': _PROPOSED_NONE,
    'fasterrcnn_mobilenet_v3_large_fpn(weights="COCO_V1")': _PROPOSED_NONE,
    'fasterrcnn_resnet50_fpn(weights="COCO_V1")': _PROPOSED_ALL,
    'keypointrcnn_resnet50_fpn(weights="COCO_LEGACY")': _NOBODY,
    'maskrcnn_resnet50_fpn(weights="COCO_V1")': _NO_MASKS,
    "deeplabv3_mobilenet_v3_large": _NO_AUXILIARY,
    "deeplabv3_resnet101": _NO_AUXILIARY,
    "deeplabv3_resnet50": _NO_AUXILIARY,
    "fasterrcnn_mobilenet_v3_large_320_fpn": _FROZEN & _PROPOSED_NONE,
    "fasterrcnn_mobilenet_v3_large_fpn": _FROZEN & _PROPOSED_NONE,
    "fasterrcnn_resnet50_fpn": _FROZEN & _PROPOSED_ALL,
    "fcn_resnet101": _NO_AUXILIARY,
    "fcn_resnet50": _NO_AUXILIARY,
    "fcos_resnet50_fpn": _FROZEN,
    "googlenet": _AUXILIARY,
    "keypointrcnn_resnet50_fpn": _FROZEN,
    "maskrcnn_resnet50_fpn": _FROZEN & _NO_MASKS,
    **{spec: _folded() for name in _QUANTISED for spec in (name, *_entries(name))},
    "quantized_googlenet": _AUXILIARY & _folded("aux1", "aux2"),
    'quantized_googlenet(weights="IMAGENET1K_FBGEMM_V1")': _folded("aux1", "aux2"),
    'quantized_inception_v3(weights="IMAGENET1K_FBGEMM_V1")': _folded("AuxLogits") & _DROPPED,
    "retinanet_resnet50_fpn": _FROZEN,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One spec and the entry it is compared with."""

    spec: str
    entry: Any

    @property
    def is_bare(self) -> bool:
        return "(" not in self.spec

    def has_params(self, params: int) -> bool:
        return bool(params == self.entry.meta["num_params"])

    def has_macs(self, macs: int) -> bool:
        return bool(round(macs / 1e9, 3) == self.entry.meta["_ops"])

    def __str__(self) -> str:
        return self.spec


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one case. `failure` is the product's sentence; `corrected` are the figures after corrections."""

    case: Case
    seconds: float
    engine: str = ""
    params: int = 0
    macs: int = 0
    corrected: tuple[int, int] = (0, 0)
    unknown: Mapping[str, int] = field(default_factory=dict)
    failure: str | None = None

    @property
    def exact_params(self) -> bool:
        return self.failure is None and self.case.has_params(self.params)

    @property
    def exact_macs(self) -> bool:
        return self.failure is None and self.case.has_macs(self.macs)

    @property
    def deviates(self) -> bool:
        return not (self.exact_params and self.exact_macs)

    @property
    def is_proved(self) -> bool:
        """Whether the documented reason explains all of the difference."""
        return self.case.has_params(self.corrected[0]) and self.case.has_macs(self.corrected[1])

    @property
    def is_fine(self) -> bool:
        return self.failure is None and not self.unknown and self.is_proved

    @property
    def reason(self) -> str:
        reason = DOCUMENTED.get(self.case.spec)
        if reason is None:
            return "NOT DOCUMENTED"
        return reason.text if self.is_proved else f"NOT ALL OF IT: {reason.text}"

    def __str__(self) -> str:
        if self.failure is not None:
            return f"fails: {self.failure}"
        said = self.case.entry.meta
        parts = [f"unknown operators {dict(self.unknown)}"] if self.unknown else []
        if not self.exact_params:
            parts.append(f"{self.params:,} parameters, torchvision says {said['num_params']:,}")
        if not self.exact_macs:
            parts.append(f"{self.macs / 1e9:.3f} G MACs, torchvision says {said['_ops']:.3f}")
        return "; ".join(parts)


def run(pattern: str) -> int:
    """Profile, print what deviates and a summary; 1 when something is undocumented, unproved or no longer true."""
    models = [name for name in list_models() if fnmatchcase(name, pattern)]
    findings = [finding_of(case) for case in track([case for name in models for case in cases_of(name)])]
    stale = [f.case.spec for f in findings if f.case.spec in DOCUMENTED and not f.deviates]
    for finding in findings:
        if finding.deviates or not finding.is_fine:
            print(f"{finding.case}: {finding}\n    {finding.reason}")
    for spec in stale:
        print(f"{spec}: DOCUMENTED AS DIFFERENT, and it is not")
    print("\n".join(_summary(len(models), findings)))
    return 1 if stale or not all(finding.is_fine for finding in findings) else 0


def cases_of(name: str) -> Iterator[Case]:
    entries = get_model_weights(name)
    yield Case(name, entries.DEFAULT)
    for entry in entries:
        yield Case(_spec(name, entry), entry)


def finding_of(case: Case) -> Finding:
    start = time.perf_counter()
    try:
        found = profile(case.spec)
        totals = found.totals
    except ProfileError as error:
        return Finding(case, time.perf_counter() - start, failure=str(error))
    seconds = time.perf_counter() - start
    corrected = _corrected(found, DOCUMENTED.get(case.spec))
    return Finding(case, seconds, found.trace.engine, totals.params, totals.macs, corrected, found.unknown_ops)


def _corrected(found: Profile, reason: Reason | None) -> tuple[int, int]:
    worth = [correction(found) for correction in reason.corrections] if reason else []
    return found.totals.params + sum(w[0] for w in worth), found.totals.macs + sum(w[1] for w in worth)


def _macs(layer: Layer) -> int:
    if layer.macs is None:
        raise ValueError(f"the MACs of {layer.path} are not known")
    return layer.macs


def _summary(models: int, findings: Sequence[Finding]) -> Iterator[str]:
    bare = [f for f in findings if f.case.is_bare]
    entries = [f for f in findings if not f.case.is_bare]
    engines = Counter(f.engine or "failed" for f in findings)
    unknown: Counter[str] = Counter()
    for finding in findings:
        unknown.update(finding.unknown)
    yield ""
    yield f"models             {models}, of which {sum(f.failure is None for f in bare)} profile by their bare name"
    for group, of in ((entries, "weight entries"), (bare, "bare names")):
        yield f"exact parameters   {sum(f.exact_params for f in group)} of {len(group)} {of}"
        yield f"exact MACs         {sum(f.exact_macs for f in group)} of {len(group)} {of}"
    deviating = [f for f in findings if f.deviates]
    yield f"deviations         {len(deviating)}, wholly explained {sum(f.is_proved for f in deviating)}"
    yield f"engines            {', '.join(f'{name} {times}' for name, times in engines.most_common())}"
    yield f"unknown operators  {dict(unknown) or 0}"
    yield f"seconds            {sum(f.seconds for f in findings):.1f}, building included"
