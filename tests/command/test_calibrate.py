"""The verb `calibrate`, and what its file cannot be asked for. What it measures is tested in tests/devices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.shell import run

CALIBRATION = """
calibration = 1
[machine]
title = "A processor, 1 thread"
device = "cpu"
threads = 1
torch = "2.14.1"
date = "2026-11-28"
module_seconds = 1e-6
call_seconds = 2e-6
peak = { float32 = 1e11 }
bandwidth = { 1048576 = 2e10 }
[[family]]
name = "matrix product"
dtype = "float32"
law = [1e-05, 1e-11, 1e-10]
deviation = 0.0
noise = 0.1
lengths = [1, 1, 1]
error = 0.2
samples = [[0.001, 100000000, 1000000, 100, 100, 100]]
"""


@pytest.fixture
def calibrated(tmp_path: Path) -> str:
    path = tmp_path / "machine.toml"
    path.write_text(CALIBRATION, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("-o", "machine.txt"), "--output machine.txt: --device knows a calibration by its suffix; call it FILE.toml"),
        (("-o", "m.toml", "--threads", "0"), "--threads 0: not a whole number from 1 to 2,147,483,647"),
        (("-o", "m.toml", "--seconds", "0"), "--seconds 0: choose from 1 to 3,600 seconds"),
        (("-o", "m.toml", "--device", "tpu"), "--device tpu is not known; known are cpu, cuda"),
        (
            ("-o", "m.toml", "--dtype", "int8"),
            "--dtype int8 is not known; known are float32, bfloat16, float16, float64",
        ),
        (("-o", "no-folder/m.toml"), "no-folder/m.toml"),
    ],
)
def test_what_cannot_be_calibrated(capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str) -> None:
    status, out, err = run(capsys, "calibrate", *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device here")
def test_a_device_that_is_not_here(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = run(capsys, "calibrate", "-o", str(tmp_path / "m.toml"), "--device", "cuda")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("profile-model: --device cuda: torch finds no such device on this machine; ")
    assert list(tmp_path.iterdir()) == []


def test_what_a_calibration_does_not_tell(capsys: pytest.CaptureFixture[str], calibrated: str) -> None:
    status, _, err = run(capsys, "largest", "resnet18", "batch", "--device", calibrated)
    assert (status, err.count("\n")) == (2, 1)
    assert "says nothing of its memory; add that, like --in 8GB" in err
    status, _, err = run(capsys, "generate", "hf:LlamaConfig(num_hidden_layers=1)", "--device", calibrated)
    assert (status, err.count("\n")) == (2, 1)
    assert "is a calibration, which says nothing of memory and links; name a device of" in err
