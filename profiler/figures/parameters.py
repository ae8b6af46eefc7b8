"""Does a layer have the parameters that its textbook formula gives? Its formula (`ops/layers/`) against its tensors.

The tensors are always right about the count; the formula says what it should have been, and `Counted.agrees` whether it
is: a subclass with a parameter of its own, a weight norm or packed quantised weights are not the textbook layer, and
`Counted.remark` says in what.

What a formula cannot know: whether a layer was meant to have a bias. The bias of most layers is not a setting but a
tensor that is there or not, so a bias that lives in a child module (a parametrised one) is missing from both sides. Nor
does it see values: what a pruning mask zeroes still counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from profiler.ops.cost import Count
from profiler.ops.layers.kind import Names, SettingError, Settings, parameters_of
from profiler.records.trace import Module, Weight


@dataclass(frozen=True, slots=True)
class Counted:
    """A layer's own parameters, its children's left out, counted twice: by its kind's formula and by its tensors.

    kind: the textbook kind ("Conv2d"); the class's own name where no formula is known.
    formula: None where the kind has no textbook formula.
    actual: weights in the layer's own parameter tensors, those it shares with another layer included.
    remark: one sentence for a person, "" when there is nothing to say.
    """

    kind: str
    formula: Count | None
    actual: int
    remark: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether formula and tensors give the same count; None when there is no formula."""
        return None if self.formula is None else self.formula == self.actual


def count(module: Module, own: Sequence[Weight]) -> Counted:
    """Count a module's own parameters; `own` are the parameters registered on it directly."""
    actual = sum(weight.numel for weight in own)
    kind, parameters = parameters_of(module)
    try:
        formula = parameters(Settings(dict(module.attributes)), _textbook_names(own))
    except SettingError as setting:
        state = "no plain value" if str(setting) in dict(module.attributes) else "not recorded"
        return Counted(module.kind, None, actual, f"its setting {setting} is {state}: counted from its tensors")
    if formula is None:
        remark = f"{module.kind} has no textbook formula: counted from its tensors alone" if actual else ""
        return Counted(module.kind, None, actual, remark)
    return Counted(kind, formula, actual, _remark(kind, formula, actual, module, own))


def _textbook_names(own: Sequence[Weight]) -> Names:
    """Pruning and `torch.nn.utils.spectral_norm` keep the parameter `weight` as `weight_orig`: the same, renamed."""
    return frozenset(weight.name.removesuffix("_orig") for weight in own)


# Remarks ----------------------------------------------------------------------------------------------------------

# The names torch.nn itself gives to parameters.
TEXTBOOK_NAME = re.compile(r"([qkv]_proj_|in_proj_)?(weight|bias)(_ih|_hh|_hr|_k|_v)?(_l\d+(_reverse)?)?(_orig)?")


def _remark(kind: str, formula: Count, actual: int, module: Module, own: Sequence[Weight]) -> str:
    if formula != actual:
        reason = _reason(kind, formula, module, own)
        return f"the tensors hold {actual:,}, the formula {int(formula):,}: {reason}"
    shared = [weight.name for weight in own if weight.same_as is not None]
    if shared:
        return f"{', '.join(shared)} shared with an earlier layer, where the totals count it"
    renamed = [weight.name for weight in own if weight.name.endswith("_orig")]
    if renamed:
        return f"computed from {', '.join(renamed)} (pruned or normalised); elements that a mask zeroes count too"
    return ""


def _reason(kind: str, formula: Count, module: Module, own: Sequence[Weight]) -> str:
    names = {weight.name for weight in own}
    if {"weight_g", "weight_v"} <= names:
        return "weight norm keeps a length weight_g beside the direction weight_v"
    if module.classes[0].startswith("torch.nn.utils.parametrize."):
        return "it is parametrised, its child parametrizations holds what its tensors are computed from"
    packed = sorted({weight.tensor.dtype for weight in own if not weight.tensor.is_float})
    if packed:
        return f"it stores {', '.join(packed)}, which may pack several quantised weights into one element"
    return _extra(kind, formula, own) or _missing(own)


def _extra(kind: str, formula: Count, own: Sequence[Weight]) -> str:
    extra = [w for w in own if not formula or not TEXTBOOK_NAME.fullmatch(w.name)]
    listed = ", ".join(f"{weight.name} ({weight.numel:,})" for weight in extra)
    return f"it holds {listed} besides what a textbook {kind} holds" if extra else ""


def _missing(own: Sequence[Weight]) -> str:
    if not own:
        return "it has no parameters of its own, they were removed, made buffers or moved to another module"
    return "its tensors do not have the shapes that its settings announce (replaced, resized or sharded)"
