"""Samples and weights come from files, of which nothing is unpickled; what is wrong with one is told in a line."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from profiler import ProfileError, sensitivity
from profiler.answers.sensitivity.compute import Sensitivity
from tests.sensitivity.models import logits, model

BUILDER = """
import torch
from torch import nn

def build(classes=3):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes))

def loader():
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        yield torch.rand(2, 3, 8, 8, generator=generator), torch.tensor([0, 1])

def named():
    return [({"input": torch.rand(2, 3, 8, 8)}, [0, 1])]

def failing():
    raise RuntimeError("no disk")

def nothing():
    return []

def loss(output, labels):
    return (output.sum() - labels.sum()) ** 2

number = 7
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(BUILDER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(**options: Any) -> Sensitivity:
    answer = sensitivity("net.py:build", (1, 3, 8, 8), **options)
    assert isinstance(answer, Sensitivity)
    return answer


def pixels(*shape: int) -> Any:
    return numpy.random.default_rng(0).integers(0, 256, shape, dtype=numpy.uint8)


@pytest.mark.parametrize(("inputs", "labels"), [("images", "labels"), ("x", "y"), ("inputs", "targets")])
def test_arrays(folder: Path, inputs: str, labels: str) -> None:
    images, classes = pixels(5, 3, 8, 8), numpy.array([0, 1, 2, 0, 1])
    numpy.savez("data.npz", **{inputs: images, labels: classes})
    from_file = measured(data="data.npz")
    assert from_file.asked.samples == "of data.npz, divided by 255"
    assert from_file.asked.target == "cross_entropy"
    handed = measured(data=[(torch.from_numpy(images) / 255, torch.from_numpy(classes))])
    assert from_file.gradients.values == pytest.approx(handed.gradients.values, rel=1e-6)
    assert measured(data="data.npz", samples=2).gradients.values == from_file.gradients.values[:2]


def test_arrays_with_channels_last(folder: Path) -> None:
    images = pixels(2, 8, 8, 3)
    numpy.savez_compressed("data.npz", images=images)
    answer = measured(data="data.npz")
    assert answer.asked.samples == "of data.npz, divided by 255, channels first"
    assert answer.asked.target == "the largest output of each sample"
    handed = measured(data=[torch.from_numpy(images).permute(0, 3, 1, 2) / 255])
    assert answer.gradients.values == pytest.approx(handed.gradients.values, rel=1e-6)


def test_a_folder_of_images_in_classes(folder: Path) -> None:
    from PIL import Image

    for name in ("b", "a"):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(pixels(10, 12, 3) // (number + 1)).save(folder / "images" / name / f"{number}.png")
    (folder / "images" / "a" / "notes.txt").write_text("no image")
    answer = measured(data="images", samples=4)
    assert answer.asked.number == 4
    assert answer.asked.samples == (
        "images of images in 2 classes, resized to 8×8, less a mean of 0.485, 0.456, 0.406, divided by 0.229, 0.224, "
        "0.225"
    )
    assert "cross_entropy" in answer.asked.target
    alone = measured(data="images/a")
    assert alone.asked.target == "the largest output of each sample"
    (folder / "images" / "a" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ProfileError, match=r"images/a/0\.png cannot be read as an image"):
        measured(data="images")


def test_a_loader(folder: Path) -> None:
    answer = measured(data="net.py:loader", samples=5, loss="net.py:loss")
    assert answer.asked.number == 5
    assert answer.asked.target == "loss"
    assert measured(data="net.py:named", samples=1).gradients.inputs[0].name == "input"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("none.npz", r"none\.npz"),
        ("nowhere", "--data nowhere: it is FILE.npz, a folder of images, or FILE.py:LOADER, and this is none"),
        ("net.py:failing", r"net\.py:failing gives no samples \(RuntimeError: no disk, at net\.py:\d+\)"),
        ("net.py:nothing", r"there is no sample in net\.py:nothing"),
        ("net.py:number", "net.py:number gives no samples"),
        ("net.py:missing", "missing"),
        ("pickled.npz", r"pickled\.npz: its arrays cannot be read"),
        ("other.npz", r"other\.npz: its inputs are an array called images or .*, and it has a"),
        ("broken.npz", r"broken\.npz: its arrays cannot be read"),
        ("short.npz", "labels of 2 do not say one for each of 3 samples"),
        ("empty.npz", r"there is no sample in empty\.npz"),
        ("text.npz", "its arrays cannot be read"),
        ("empty", "there is no sample in empty"),
    ],
)
def test_what_is_wrong_with_data_is_told_in_a_line(folder: Path, data: str, words: str) -> None:
    numpy.savez("pickled.npz", images=numpy.array([{"a": 1}], dtype=object))
    numpy.savez("other.npz", a=numpy.zeros(3))
    numpy.savez("short.npz", images=numpy.zeros((3, 3, 8, 8)), labels=numpy.zeros(2, dtype=int))
    numpy.savez("empty.npz", images=numpy.zeros((0, 3, 8, 8)))
    numpy.savez("text.npz", images=numpy.array(["a", "b"]))
    with zipfile.ZipFile("broken.npz", "w") as file:
        file.writestr("images.npy", b"\x93NUMPY\x01\x00v\x00{'descr': ")
    (folder / "empty").mkdir()
    with pytest.raises(ProfileError, match=words) as refusal:
        measured(data=data)
    assert "\n" not in str(refusal.value)


def test_arrays_larger_than_memory_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numpy.savez_compressed("data.npz", images=numpy.zeros((100, 3, 8, 8)))
    monkeypatch.setattr("profiler.sources.samples.free_bytes", lambda: 1000)
    with pytest.raises(ProfileError, match=r"its arrays take .*, of which .* are free"):
        measured(data="data.npz")


# Weights --------------------------------------------------------------------------------------------------------------


def trained() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
        nn.init.uniform_(made[1].running_mean)  # type: ignore[arg-type]
        return made


@pytest.mark.parametrize("path", ["weights.safetensors", "weights.pt", "wrapped.pth", "old.pt", "noncontiguous.pt"])
def test_weights_of_a_file(folder: Path, path: str) -> None:
    made, samples = trained(), torch.rand(3, 3, 8, 8)
    state = made.state_dict()
    save_file(state, "weights.safetensors")
    torch.save(state, "weights.pt")
    torch.save({"state_dict": state, "epoch": 3}, "wrapped.pth")
    torch.save(state, "old.pt", _use_new_zipfile_serialization=False)
    turned = {name: value.T.contiguous().T if value.ndim == 2 else value for name, value in state.items()}
    torch.save(turned, "noncontiguous.pt")
    answer = measured(data=[samples], weights=path)
    assert answer.asked.weights == f"of {path}"
    assert not answer.asked.is_random
    assert answer.gradients.values == pytest.approx(logits(made, samples).amax(1).tolist(), rel=1e-6)


def test_weights_that_do_not_match_are_refused_as_match_does(folder: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), "weights.pt")
    with pytest.raises(ProfileError, match=r"weights\.pt does not match net\.py:build: 9 missing .*2 unexpected") as no:
        measured(weights="weights.pt")
    assert no.value.status == 2


def test_nothing_in_a_file_of_weights_is_run(folder: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return (Path.touch, (Path("harm"),))

    Path("weights.pt").write_bytes(pickle.dumps({"a": Harmful()}))
    with pytest.raises(ProfileError):
        measured(weights="weights.pt")
    assert not Path("harm").exists()


def test_what_is_random_is_said() -> None:
    small = sensitivity("resnet18(num_classes=2)", (1, 3, 32, 32), samples=1)
    assert small.asked.is_random == ("weights", "samples")
    assert "The weights and samples are random: how layers rank here says little" in str(small)
    made, samples, _ = model("perceptron")
    assert "random" not in str(sensitivity(made, samples))
