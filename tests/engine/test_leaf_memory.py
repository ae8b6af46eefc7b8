"""A layer of torch's that is answered from memory leaves the same record as one that runs."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import pytest
import torch
import torchvision
from hypothesis import given
from torch import nn

from profiler import ProfileError, profile
from profiler.engine.record import leaves, memo
from tests.engine.leaf_memory import Plain, is_same
from tests.laws import share
from tests.strategies import trees

Tree = tuple[nn.Module, tuple[int, ...]]
OWN_CALL = nn.Module._call_impl


@contextmanager
def counted() -> Iterator[list[None]]:
    """How many layers are answered from memory."""
    answered: list[None] = []
    again = leaves.Leaves._again

    def counting(self: leaves.Leaves, *rest: Any) -> Any:
        answered.append(None)
        return again(self, *rest)

    with mock.patch.object(leaves.Leaves, "_again", counting):
        yield answered


# Models ---------------------------------------------------------------------------------------------------------------


@given(trees())
@share(50)
def test_random_trees(tree: Tree) -> None:
    model, shape = tree
    assert is_same(model, shape)


@pytest.mark.parametrize("name", ["alexnet", "densenet121", "googlenet", "mobilenet_v3_small", "swin_t", "vit_b_32"])
def test_models(name: str) -> None:
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, **({"init_weights": False} if "goog" in name else {}))
    assert is_same(model, (2, 3, 224, 224))


@pytest.mark.parametrize("options", [{"train": True}, {"dtype": "float16"}, {"train": True, "amp": "bfloat16"}])
def test_conditions(options: dict[str, Any]) -> None:
    assert is_same(torchvision.models.resnet18(), (2, 3, 64, 64), **options)


_COUNTING = """
import torchvision
from profiler import profile
from tests.engine.test_leaf_memory import counted

for name in ("resnet18", "vit_b_32"):
    model = torchvision.models.get_model(name)
    for _ in range(2):
        profile(model, (1, 3, 224, 224))
    with counted() as answered:
        profile(model, (1, 3, 224, 224))
    print(len(answered))
"""


def test_layers_are_answered() -> None:
    """In a process of its own: where a test has left torch with a hook or a setting of its own, none is."""
    done = subprocess.run([sys.executable, "-c", _COUNTING], capture_output=True, text=True, check=True)
    in_stem_and_head, blocks, in_block, downsamplings = 4 + 2, 4 * 2, 6, 3  # of these each is a Sequential, and one
    attention, norms, dropouts, in_mlp = 1, 2, 1, 5
    in_resnet, in_vit = (
        in_stem_and_head + blocks * in_block + downsamplings,
        1 + 1 + 12 * (attention + norms + dropouts + in_mlp) + 1 + 1,  # convolution, dropout, blocks, norm, heads
    )
    assert list(map(int, done.stdout.split())) == [in_resnet, in_vit]


# What is changed between two runs -------------------------------------------------------------------------------------


class Change(NamedTuple):
    what: str
    make: Callable[[nn.Sequential], object]


def _replaced(model: nn.Sequential) -> None:
    model[0].weight = nn.Parameter(torch.ones(4, 3, 5, 5))


def _resized(model: nn.Sequential) -> None:
    model[0].weight.data = torch.ones(4, 3, 1, 1)


def _function(model: nn.Sequential) -> None:
    model[2].forward = lambda x: torch.sigmoid(x) + 1


CHANGES = (
    Change("a setting", lambda model: setattr(model[0], "stride", (2, 2))),
    Change("a value of another class", lambda model: setattr(model[1], "momentum", 1)),
    Change("a weight", _replaced),
    Change("a weight's memory", _resized),
    Change("a weight shared", lambda model: setattr(model[3], "weight", model[1].weight)),
    Change("a bias gone", lambda model: setattr(model[0], "bias", None)),
    Change("frozen", lambda model: model.requires_grad_(False)),
    Change("doubles", lambda model: model.double()),
    Change("an activation in place", lambda model: setattr(model[2], "inplace", True)),
    Change("a method", _function),
    Change("a class", lambda model: setattr(model[2], "__class__", nn.SiLU)),
    Change("a hook", lambda model: model[2].register_forward_hook(lambda layer, args, out: out + 1)),
    Change("a hook before", lambda model: model[2].register_forward_pre_hook(lambda layer, args: (args[0] * 2,))),
    Change("a layer inside another", lambda model: model.append(nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1)))),
    Change("a parametrization", lambda model: nn.utils.parametrizations.weight_norm(model[0])),
    Change("an attribute", lambda model: setattr(model[2], "kept", torch.ones(3))),
)


def _layers() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=1.0), nn.ReLU(), nn.BatchNorm2d(4), nn.Dropout(), Plain()
    )


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.what)
def test_a_change_is_seen(change: Change) -> None:
    model = _layers()
    dtype = "float64" if change.what == "doubles" else "float32"
    for _ in range(2):
        profile(model, (1, 3, 8, 8))
    change.make(model)
    assert is_same(model, f"1x3x8x8:{dtype}")


# Around it ------------------------------------------------------------------------------------------------------------


def test_a_formula_that_is_added_is_seen() -> None:
    model = nn.Sequential(nn.Softplus(), Plain())
    assert is_same(model, (4, 4))
    assert nn.Module._call_impl is OWN_CALL


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_torchs_method_comes_back(error: type[BaseException]) -> None:
    class Raising(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert nn.Module._call_impl is not OWN_CALL
            raise error("no")

    with pytest.raises(ProfileError if error is ValueError else error):
        profile(nn.Sequential(nn.ReLU(), Raising()), (4, 4))
    assert nn.Module._call_impl is OWN_CALL


def test_what_a_layer_warns_of_is_heard_each_time() -> None:
    model = nn.Sequential(nn.Softmax(), Plain())
    for _ in range(3):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            profile(model, (4, 4))
        assert len(heard) == 1


def test_the_memory_is_bounded() -> None:
    with mock.patch.object(memo, "_MOST_LAYER_ENTRIES", 3):
        for width in range(1, 9):
            assert is_same(nn.Sequential(nn.Linear(width, width), nn.ReLU(), Plain()), (4, width))
        assert memo._layer_entries <= 3


def test_nothing_holds_on_to_a_model() -> None:
    import weakref

    model = _layers()
    profile(model, (1, 3, 8, 8))
    layer, weight = weakref.ref(model[0]), weakref.ref(model[0].weight)
    del model
    assert layer() is None
    assert weight() is None
