"""Pruned models: masks are buffers, and zeros are counted where somebody asks, by the weights' values."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from profiler import Profile, ProfileError, profile
from tests.shell import run

F32 = 4  # bytes


def model() -> nn.Sequential:
    """A convolution that has lost half of its weights, a linear layer 2 of its 10 outputs; the rest is ones."""
    found = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))
    for weight in found.parameters():
        nn.init.constant_(weight, 1)
    prune.random_unstructured(found[0], "weight", 0.5)
    prune.random_structured(found[3], "weight", 2, dim=0)
    return found


CONV, LINEAR = 8 * 3 * 3 * 3, 10 * 8 * 36
FED = (1, 3, 8, 8)


def test_masks_are_buffers_and_weights_count_in_full() -> None:
    found = profile(model(), FED)
    assert found.totals.params == CONV + 8 + LINEAR + 10
    assert found.totals.buffers == CONV + LINEAR
    assert found.totals.macs == 36 * CONV + LINEAR  # dense kernels multiply zeros too
    assert found.totals.zeros is None
    assert found[""].total.zeros_of == 0


def test_zeros_are_those_that_the_masks_make() -> None:
    found = profile(model(), FED, zeros=True)
    assert found["0"].total.zeros == CONV // 2
    assert found["3"].total.zeros == 2 * 8 * 36
    assert found.totals.zeros == CONV // 2 + 2 * 8 * 36
    assert found.totals.macs == 36 * CONV + LINEAR


def test_masks_that_were_made_permanent_are_gone_and_the_zeros_stay() -> None:
    pruned = model()
    prune.remove(pruned[0], "weight")
    prune.remove(pruned[3], "weight")
    found = profile(pruned, FED, zeros=True)
    assert found.totals.buffers == 0
    assert found.totals.zeros == CONV // 2 + 2 * 8 * 36


def test_a_shared_weight_counts_once() -> None:
    layer = nn.Linear(4, 4, bias=False)
    nn.init.zeros_(layer.weight)
    assert profile(nn.Sequential(layer, layer), (1, 4), zeros=True).totals.zeros == 4 * 4


def test_zeros_of_what_is_packed() -> None:
    layer = nn.Linear(8, 4)
    nn.init.ones_(layer.weight)
    nn.init.ones_(layer.bias)
    with torch.no_grad():
        layer.weight[0] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(nn.Sequential(layer), {nn.Linear})
    assert profile(quantised, (1, 8), zeros=True).totals.zeros == 8


def test_zeros_are_kept_in_a_saved_trace(tmp_path: Path) -> None:
    found = profile(model(), FED, zeros=True)
    found.save(tmp_path / "pruned.json")
    again = Profile.load(tmp_path / "pruned.json")
    assert again.trace == found.trace
    assert again.totals.zeros == found.totals.zeros


def test_an_archive_of_before_zeros_were_known_loads(tmp_path: Path) -> None:
    found = profile(model(), FED)
    file = tmp_path / "old.json"
    found.save(file)
    data = json.loads(file.read_text())
    for kind in ("parameters", "buffers"):
        data[kind] = [row[:-3] for row in data[kind]]
    file.write_text(json.dumps(data))
    again = Profile.load(file)
    assert again.totals == found.totals
    assert again.totals.zeros is None


def test_the_model_comes_back_untouched() -> None:
    pruned = model()
    before = {name: value.clone() for name, value in pruned.state_dict().items()}
    profile(pruned, FED, zeros=True)
    assert all(torch.equal(value, before[name]) for name, value in pruned.state_dict().items())
    assert pruned[0].weight.grad_fn is not None  # the product with the mask is made anew in each pass


def test_zeros_beside_another_condition() -> None:
    found = profile(model(), FED, zeros=True, train=True, dtype="bfloat16")
    assert found.totals.zeros == CONV // 2 + 2 * 8 * 36
    assert found.training is not None


# On the command line --------------------------------------------------------------------------------------------------

FILE = """
from torch import nn
from torch.nn.utils import prune


def build():
    model = nn.Sequential(nn.Linear(8, 4))
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[0].bias)
    prune.random_structured(model[0], "weight", 1, dim=0)
    return model
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    file = tmp_path / "pruned.py"
    file.write_text(FILE)
    return f"{file}:build"


def test_the_table_has_zeros_and_says_that_macs_are_dense(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, spec, "--input", "1x8", "--zeros")
    assert (status, err) == (0, "")
    assert "Zeros %" in out
    assert f"{100 * 8 / (4 * 8 + 4):.1f} % of {4 * 8 + 4} parameters; dense kernels compute with zeros too" in out
    assert "Masks, KB" in out
    assert "1 of pruning, among the buffers" in out


def test_without_asking_there_are_masks_alone(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, spec, "--input", "1x8")
    assert "Masks, KB" in out
    assert "Zeros" not in out


def test_json(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, spec, "--input", "1x8", "--zeros", "--format", "json")[1])
    assert data["totals"]["zeros"] == 8
    assert data["layers"][1]["zeros"] == 8
    assert json.loads(run(capsys, spec, "--input", "1x8", "--format", "json")[1])["totals"]["zeros"] is None


def test_a_model_of_a_zoo_has_no_weights_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "resnet18", "--zeros")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "resnet18: its zeros cannot be counted, for its weights are not fetched" in err


def test_a_model_on_meta_has_none_either() -> None:
    with pytest.raises(ProfileError, match="it is on the meta device"):
        profile(nn.Linear(4, 4, device="meta"), (1, 4), zeros=True)


@pytest.mark.parametrize("column", ["zeros", "sparsity"])
def test_the_columns_need_the_option(column: str, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, spec, "--input", "1x8", "--columns", column)
    assert status == 2
    assert "--zeros" in err
