"""What counters say, module by module: the numbers are their own, and add up to their totals."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from profiler import counters, errors
from profiler.counters.running.job import Job
from profiler.counters.running.modules import by_name, by_position, own, visit_counts
from profiler.counters.running.reading import Reading, plain
from profiler.records.spec import Feed
from tests.benchmarks.small_models import SMALL

TOOLS = ("fvcore", "thop", "torch")  # those that leave this process as it was
MODELS = (
    "bare-linear", "small-cnn-batch-of-3", "shared-twice", "shared-in-two-parents", "shared-block", "called-twice",
    "called-by-forward", "uses-others-layer", "bare-parameters", "lists-and-dicts", "dict-output", "keyword-inputs",
    "encoder-layer", "lstm", "no-parameters", "hook-of-the-model",
)  # fmt: skip


def _read(tool: str, model: str) -> Reading:
    small = SMALL[model]
    return counters.tool(tool).read(*Job(small.build(), Feed(small.args, small.kwargs)).real())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tool", TOOLS)
def test_layers_add_up(tool, model):
    reading = _read(tool, model)
    assert sum(reading.layers.values()) == reading.total
    assert list(reading.layers) == [path for path, _ in SMALL[model].build().named_modules()]
    if reading.layer_params is not None:
        assert sum(reading.layer_params.values()) == reading.params


LINEAR = 2 * 8 * 8  # MACs of Linear(8, 8) on a batch of two


@pytest.mark.parametrize(
    ("tool", "model", "layers"),
    [
        ("torch", "shared-twice", {"": 0, "first": 2 * 2 * LINEAR}),
        ("fvcore", "shared-twice", {"": 0, "first": 2 * LINEAR}),
        ("torch", "called-by-forward", {"": 2 * LINEAR, "linear": 0, "block": 0, "block.0": 2 * LINEAR, "block.1": 0}),
        ("thop", "called-twice", {"": 0, "linear": 2 * LINEAR, "act": 0}),
        # What a module calls is its own for torch, and for fvcore the owner's.
        (
            "torch",
            "uses-others-layer",
            {"": 0, "owner": 0, "owner.0": 4 * LINEAR, "user": 0, "user.linear": 2 * LINEAR},
        ),
        ("fvcore", "uses-others-layer", {"": 0, "owner": 0, "owner.0": 2 * LINEAR, "user": 0, "user.linear": LINEAR}),
    ],
)
def test_counts_are_charged_to_the_module_itself(tool, model, layers):
    assert _read(tool, model).layers == layers


PRUNED = "a pruned weight counts the ones in its mask"
SIZES = "1 per multiplication of sizes, such as height·width, that tracing records"


@pytest.mark.parametrize(
    ("tool", "model", "asides", "of_parameters"),
    [
        # Of 8·4 and 4·3 weights a third is masked, for each of a batch of two.
        ("torchinfo", "pruned", {PRUNED: {"0": -2 * 11, "2": -2 * 4}}, {PRUNED: {"0": -11, "2": -4}}),
        ("torchinfo", "small-cnn", {}, {}),
        ("torchprofile", "interpolate-recomputed", {SIZES: {"": 2}}, {}),  # height and width by the scale
        ("torchprofile", "size-arithmetic", {}, {}),  # of a tensor that the model makes
    ],
)
def test_what_only_the_tool_has_on_record(tool, model, asides, of_parameters):
    pytest.importorskip(tool)
    reading = _read(tool, model)
    assert (reading.asides, reading.param_asides) == (asides, of_parameters)


def test_what_cannot_be_passed_on_is_refused():
    for tool in ("fvcore", "thop"):
        with pytest.raises(errors.ProfileError, match=f"{tool} cannot pass on the argument 'scale'"):
            _read(tool, "keyword-only")


class _Takes(nn.Module):
    def forward(self, a, /, b, c=3, *rest, d=4, **others):
        return a


def test_arguments_by_position():
    assert by_position(_Takes(), (1,), {"b": 2}, "it") == (1, 2)
    assert by_position(nn.Identity(), (1,), {}, "it") == (1,)

    class Gap(nn.Module):
        def forward(self, a, b=2, c=3, d=4):
            return a

    assert by_position(Gap(), (1,), {"c": 9}, "it") == (1, 2, 9)
    with pytest.raises(errors.ProfileError):
        by_position(_Takes(), (1,), {"b": 2, "d": 5}, "it")
    with pytest.raises(errors.ProfileError):
        by_position(_Takes(), (1,), {"b": 2, "e": 5}, "it")


def test_arguments_by_name():
    class Named(nn.Module):
        def forward(self, a, b=2, *, c=3, **others):
            return a

    assert by_name(Named(), (1,), {"c": 4, "e": 5}, "it") == {"a": 1, "c": 4, "e": 5}
    with pytest.raises(errors.ProfileError):
        by_name(_Takes(), (1, 2), {}, "it")


def test_own_counts():
    assert own({"": 100, "a": 60, "a.b": 50, "a.b.c": 50, "ab": 10}) == {
        "": 30,
        "a": 10,
        "a.b": 0,
        "a.b.c": 50,
        "ab": 10,
    }
    assert own({"": 7, "a.b": 5}) == {"": 2, "a.b": 5}  # "a" is not known


def test_visit_counts():
    assert visit_counts(SMALL["shared-block"].build()) == {
        "": 1, "left": 1, "left.0": 2, "left.0.0": 2, "left.0.1": 2, "right": 1, "right.1": 1,
    }  # fmt: skip


def test_a_reading_survives_json():
    reading = Reading("thop", "0.1", total=1.5, params=3, layers={"": 1, "a": 0.5}, note="odd", timed_out=True)
    assert Reading.from_dict({**json.loads(json.dumps(reading.to_dict())), "of a newer version": 1}) == reading


@pytest.mark.parametrize(
    ("number", "expected"), [(3.0, 3), (2.5, 2.5), (torch.tensor(4.0), 4), (torch.Size([3, 2]).numel(), 6), (True, 1)]
)
def test_plain_numbers(number, expected):
    assert plain(number) == expected
    assert type(plain(number)) is type(expected)
