"""What changed between two models: laws, cases whose changes are known, and the Python functions."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from profiler import CheckFailed, Profile, ProfileError, diff, profile
from profiler.answers.diff.changes import Amounts, Change
from profiler.answers.diff.table import place
from profiler.render import renderer
from tests.strategies import trees

Tree = tuple[nn.Module, tuple[int, ...]]

# Laws -----------------------------------------------------------------------------------------------------------------


@given(trees())
def test_nothing_changed_from_a_profile_to_itself(tree: Tree) -> None:
    found = profile(*tree)
    assert diff(found, found).is_empty
    assert diff(found, found).blocks == ()


@given(trees())
def test_a_saved_profile_is_the_profile(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    path = tmp_path_factory.getbasetemp() / "saved.json"
    found = profile(*tree)
    found.save(path)
    assert Profile.load(path).diff(found).is_empty


def _negated(amounts: Amounts) -> Amounts:
    return Amounts() - amounts


_SWAPPED = {"added": "removed", "removed": "added"}


def _told(change: Change) -> Any:
    paths = (change.before and change.before.path, change.after and change.after.path)
    return change.status, *paths, change.amounts


@given(trees(), trees())
def test_swapping_the_two_negates_every_number(one: Tree, other: Tree) -> None:
    a, b = profile(*one), profile(*other)
    there, back = diff(a, b), diff(b, a)
    assert [-total.difference for total in there.totals] == [total.difference for total in back.totals]
    mirrored = Counter(
        (_SWAPPED.get(status, status), after, before, _negated(amounts))
        for status, before, after, amounts in map(_told, there.layers)
    )
    assert Counter(map(_told, back.layers)) == mirrored


@given(trees(), trees())
def test_layers_and_blocks_add_up_to_the_totals(one: Tree, other: Tree) -> None:
    found = diff(profile(*one), profile(*other))
    expected = tuple(total.difference for total in found.totals if total.name not in ("peak", "memory"))
    assert [total.name for total in found.totals][:-2] == [field.name for field in fields(Amounts)]
    assert sum((change.amounts for change in found.layers), Amounts()).all == expected
    assert sum((block.amounts for block in found.blocks), Amounts()).all == expected
    assert len(found.blocks) <= len(found.layers)


def renamed(found: Profile, path: str, name: str) -> Profile:
    """The same model, with a module called otherwise."""
    parent = path.rpartition(".")[0]
    now = f"{parent}.{name}" if parent else name
    modules = tuple(
        module._replace(path=now + module.path[len(path) :])
        if module.path == path or module.path.startswith(f"{path}.")
        else module
        for module in found.trace.modules
    )
    return Profile(replace(found.trace, modules=modules))


@given(trees(), st.data())
def test_a_renamed_subtree_is_one_change(tree: Tree, data: st.DataObject) -> None:
    found = profile(*tree)
    assume(len(found.layers) > 1)
    path = data.draw(st.sampled_from([layer.path for layer in found.layers if layer.path]))
    (change,) = diff(found, renamed(found, path, "other")).layers
    assert (change.status, change.before and change.before.path) == ("renamed", path)
    assert change.after is not None
    assert change.after.name == "other"
    assert change.layers == sum(layer.path == path or layer.path.startswith(f"{path}.") for layer in found.layers)
    assert (change.reasons, change.amounts) == ((), Amounts())


@given(trees())
def test_a_wrapped_model_is_moved_as_a_whole(tree: Tree) -> None:
    model, shape = tree
    before = profile(model, shape)
    assume(len(before.layers) > 1)
    found = diff(before, profile(nn.Sequential(OrderedDict(backbone=model)), shape))
    assert Counter(map(_told, found.layers)) == Counter(
        [("moved", "", "backbone", Amounts()), ("added", None, "", Amounts())]
    )


# Cases ----------------------------------------------------------------------------------------------------------------


def conv(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def block(width: int) -> nn.Module:
    return nn.Sequential(conv(width, width), nn.BatchNorm2d(width), nn.ReLU())


class Other(nn.Sequential):
    """A Sequential by another name."""


def named(**layers: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(layers))


BASE = named(stem=conv(3, 8), body=nn.Sequential(block(8), block(8), nn.Conv2d(8, 16, 1), block(16)), act=nn.ReLU())
CASES: dict[str, tuple[nn.Module, nn.Module, set[str]]] = {
    "a renamed layer": (BASE, named(first=BASE.stem, body=BASE.body, act=BASE.act), {"renamed stem → first"}),
    "a renamed block": (BASE, named(stem=BASE.stem, trunk=BASE.body, act=BASE.act), {"renamed body → trunk"}),
    "two that changed their names": (
        named(a=conv(3, 8), b=conv(8, 8), c=conv(8, 3)),
        named(c=conv(3, 8), a=conv(8, 8), b=conv(8, 3)),
        {"renamed a → c", "renamed b → a", "renamed c → b"},
    ),
    "a layer in front": (
        nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 16)),
        nn.Sequential(nn.BatchNorm2d(3), conv(3, 8), nn.ReLU(), conv(8, 16)),
        {"added 0", "renamed 0 → 1", "renamed 1 → 2", "renamed 2 → 3"},
    ),
    "another width": (
        named(a=conv(3, 8), b=conv(8, 4)),
        named(a=conv(3, 6), b=conv(6, 4)),
        {"changed a", "changed b"},
    ),
    "a longer stage": (
        nn.Sequential(block(3), block(3)),
        nn.Sequential(*(block(3) for _ in range(4))),
        {"added 2", "added 3"},
    ),
    "a shorter stage": (nn.Sequential(block(3), block(3)), nn.Sequential(block(3)), {"removed 1"}),
    "moved into a new container": (
        named(stem=conv(3, 8), tail=block(8)),
        named(stem=conv(3, 8), all=named(tail=block(8), more=conv(8, 8))),
        {"added all", "moved tail → all.tail"},
    ),
    "renamed, and changed inside": (
        named(body=nn.Sequential(block(3), block(3), conv(3, 4))),
        named(trunk=nn.Sequential(block(3), block(3), conv(3, 5))),
        {"renamed body → trunk", "changed trunk.2"},
    ),
    "another kind with the same inside": (
        named(a=nn.Sequential(conv(3, 8), conv(8, 8), block(8))),
        named(a=Other(conv(3, 8), conv(8, 8), block(8))),
        {"changed a"},
    ),
    "another block in its place": (
        named(a=nn.Sequential(conv(3, 8), conv(8, 8)), b=conv(8, 8)),
        named(a=Other(nn.Conv2d(3, 8, 1), nn.GELU(), nn.Conv2d(8, 8, 1)), b=conv(8, 8)),
        {"changed a"},
    ),
    "another activation": (named(a=conv(3, 3), b=nn.ReLU()), named(a=conv(3, 3), b=nn.GELU()), {"changed b"}),
    "frozen": (named(a=conv(3, 3)), named(a=conv(3, 3).requires_grad_(False)), {"changed a"}),
}


@pytest.mark.parametrize(("before", "after", "expected"), CASES.values(), ids=CASES)
def test_what_changed(before: nn.Module, after: nn.Module, expected: set[str]) -> None:
    found = diff(profile(before, (2, 3, 8, 8)), profile(after, (2, 3, 8, 8)))
    assert {f"{block.status} {place(block)}" for block in found.blocks} == expected
    assert len(found.blocks) == len(expected)


def test_another_head_names_the_head_alone() -> None:
    found = diff("resnet34", "resnet34(num_classes=10)")
    (change,) = found.layers
    assert (change.status, change.path) == ("changed", "fc")
    assert change.amounts.params == (512 + 1) * 10 - (512 + 1) * 1000
    assert change.amounts.macs == 512 * 10 - 512 * 1000
    assert "Linear 512→1000 became Linear 512→10" in str(found)


def test_another_architecture_is_readable() -> None:
    found = diff("resnet34", "resnet50")
    assert len(found.blocks) <= 20 < len(found.layers)
    words = str(found)
    assert words.count("BasicBlock became Bottleneck") == 3 + 4 + 6 + 3
    assert "Linear 512→1000 became Linear 2048→1000" in words


def test_the_rest_is_one_row() -> None:
    whole, part = diff("resnet34", "resnet50"), diff("resnet34", "resnet50", top=3)
    rest = sum((block.amounts for block in whole.blocks[3:]), Amounts())
    (row,) = (line for line in str(part).splitlines() if "more" in line)
    assert row.split()[:4] == ["…", "and", str(len(whole.blocks) - 3), "more"]
    assert row.split()[4] == f"{rest.params:+,}"
    assert part.to_json() == whole.to_json()


def test_what_matters_most_comes_first() -> None:
    whole = {total.name: max(total.before, total.after) for total in diff("resnet18", "resnet34").totals}
    weights = [
        max(abs(b.amounts.macs) / whole["macs"], abs(b.amounts.params) / whole["params"])
        for b in diff("resnet18", "resnet34").blocks
    ]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > 0


# What is said -----------------------------------------------------------------------------------------------------


def test_different_inputs_are_said() -> None:
    model = conv(3, 4)
    words = str(diff(profile(model, (1, 3, 8, 8)), profile(model, (1, 3, 9, 9))))
    assert "Different inputs: 1×3×8×8 float32 before, 1×3×9×9 float32 after. MACs," in words
    assert "output 1×4×8×8 became 1×4×9×9" in words
    assert "Different" not in str(diff(profile(model, (1, 3, 8, 8)), profile(model, (1, 3, 8, 8))))


def test_different_conventions_are_said_and_the_second_holds() -> None:
    model, shape = nn.Sequential(conv(3, 4), nn.BatchNorm2d(4)), (1, 3, 8, 8)
    found = diff(profile(model, shape, convention="macs"), profile(model, shape, convention="thop"))
    assert found.is_empty
    assert "The first was made in the convention macs; both are shown in the second's." in str(found)
    assert "convention" not in str(diff(profile(model, shape), profile(model, shape)))


def test_different_versions_and_engines_are_said() -> None:
    found = profile(conv(3, 4), (1, 3, 8, 8))
    older = Profile(replace(found.trace, engine="cpu", versions={**found.trace.versions, "torch": "2.0"}))
    words = str(diff(older, found))
    assert f"Different versions: torch 2.0 before, {torch.__version__} after." in words
    assert "Different engines: cpu before, meta after." in words


class Holder(nn.Module):
    """Reasons that are no shape of the layer's own words."""

    def __init__(self, factor: float | None = 1.0, buffers: int = 0, tied: bool = False) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        if factor is not None:
            self.factor = factor
        for index in range(buffers):
            self.register_buffer(f"held{index}", torch.ones(2, 3))
        if tied:
            self.b.weight = self.a.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.a(x))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (Holder(), Holder(2.0), "Holder: factor 1.0 became 2.0"),
        (Holder(None), Holder(2.0), "Holder: factor 2.0 is new"),
        (Holder(2.0), Holder(None), "Holder: factor 2.0 is gone"),
        (Holder(), Holder(buffers=1), "Holder: held0 2×3 float32 is new"),
        (Holder(buffers=1), Holder(), "Holder: held0 2×3 float32 is gone"),
        (Holder(), Holder().half().float().requires_grad_(False), "weight trainable True became False"),
        (Holder(), Holder(tied=True), "Linear 3→3 became Linear 3→3 tied"),
        (nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3, padding=(1, 0)), "padding 0×0 became 1×0"),
        (nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3, padding_mode="circular"), "padding_mode zeros became circular"),
        (nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3, bias=False), "bias 3 float32 is gone"),
    ],
)
def test_in_what_a_layer_differs(before: nn.Module, after: nn.Module, said: str) -> None:
    shape = (2, 3, 8, 8) if isinstance(before, nn.Conv2d) else (2, 3)
    assert said in str(diff(profile(before, shape), profile(after, shape)))


def test_a_dtype_is_a_change() -> None:
    before, after = profile(nn.Linear(3, 4), (2, 3)), profile(nn.Linear(3, 4).half(), "2x3:float16")
    assert "weight 4×3 float32 became 4×3 float16" in str(diff(before, after))


# Limits in Python -------------------------------------------------------------------------------------------------


def test_check() -> None:
    small, large = profile(conv(3, 4), (1, 3, 8, 8)), profile(conv(3, 8), (1, 3, 8, 8))
    large.diff(small).check("0")
    small.diff(large).check("100%")
    with pytest.raises(
        CheckFailed, match=r"Parameters grew by 112, 100\.00 %, from 112 to 224, and 99\.9 % is allowed"
    ):
        small.diff(large).check("params=99.9%")
    with pytest.raises(ProfileError, match="no figure is called 'parameters'"):
        small.diff(large).check("parameters=0")


def test_diff_takes_profiles_and_specs() -> None:
    with pytest.raises(ProfileError, match="what is compared or shown is a profile or a spec, not Conv2d"):
        diff(conv(3, 4), "resnet18")  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["json", "csv", "markdown", "latex", "html"])
def test_it_shows_itself(format: str) -> None:
    found = diff(profile(conv(3, 4), (1, 3, 8, 8)), profile(conv(3, 8), (1, 3, 8, 8)))
    assert getattr(found, f"to_{format}")() == renderer(format).answer(found)
    assert repr(found) == "<Diff Conv2d to Conv2d: changed: 1>"
    assert found._repr_html_().startswith("<table>")


def test_what_is_saved_by_an_older_run_can_be_a_baseline(tmp_path: Path) -> None:
    profile(conv(3, 4), (1, 3, 8, 8)).save(tmp_path / "old.json.gz")
    assert diff(str(tmp_path / "old.json.gz"), profile(conv(3, 4), (1, 3, 8, 8))).is_empty


def test_how_models_were_run_is_told() -> None:
    model = nn.Linear(4, 4)
    usual, adam = profile(model, (2, 4)), profile(model, (2, 4), train=True, optimizer="adam")
    assert "Run otherwise: as usual before, training step, optimizer adam after." in str(diff(usual, adam))
    assert "Run as training step, optimizer adam." in str(diff(adam, adam))
    assert "Run " not in str(diff(usual, usual))
    memory = next(total for total in diff(usual, adam).totals if total.name == "memory")
    assert memory.difference == adam.totals.peak_memory_bytes - usual.totals.peak_memory_bytes > 0
