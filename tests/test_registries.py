"""Every model of torchvision against its published figures, and 150 of timm: does each profile with nothing unknown?

`python -m tests.benchmarks.registry` prints the same as tables, of all that timm and transformers have too. What is
built with weights or run for real, which takes seconds each, is left to nightly runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import timm
from torchvision.models import get_model_builder, list_models

from tests.benchmarks import timm_registry, torchvision_registry
from tests.benchmarks.torchvision_registry import DOCUMENTED, Case

_WITH_VALUES = ("detection", "quantization")  # they run on real tensors
_OF_TIMM = 150


def cases() -> Iterator[object]:
    """A bare name, and every entry of weights that is published for it."""
    for name in list_models():
        kind = get_model_builder(name).__module__.split(".")[2]
        marks = [pytest.mark.registry] if kind in _WITH_VALUES else []
        yield from (pytest.param(case, id=case.spec, marks=marks) for case in torchvision_registry.cases_of(name))


@pytest.mark.parametrize("case", cases())
def test_torchvision_publishes_these_figures(case: Case) -> None:
    """Parameters exactly, MACs to three decimals; what differs is documented, and its reason explains all of it."""
    finding = torchvision_registry.finding_of(case)
    assert finding.is_fine, f"{finding}: {finding.reason}"
    assert finding.deviates == (case.spec in DOCUMENTED)


def sample() -> list[str]:
    """Names of timm at equal distances in its alphabetical list."""
    names = timm.list_models()
    return [names[number * len(names) // _OF_TIMM] for number in range(_OF_TIMM)]


@pytest.mark.parametrize("name", sample())
def test_timm_profiles_with_nothing_unknown_and_sums_that_agree(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # builders announce their future defaults
        row = timm_registry.row_of(name)
    assert not row.is_wrong, (row.failure, row.unknown, row.differences)
