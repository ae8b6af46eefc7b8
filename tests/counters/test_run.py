"""Counters run in processes of their own: each says what became of it, and hides no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from contextlib import suppress
from typing import IO

import psutil
import pytest
import torch
from torch import nn

from profiler import errors
from profiler.counters.running.job import Job
from profiler.counters.running.reading import Reading
from profiler.counters.running.run import read_all
from profiler.counters.running.worker import read
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed

pytestmark = pytest.mark.usefixtures("counters_in_new_processes")

FAKES = "tests.counters.fakes"
PARAMS = 6 * 4 + 4


def _model() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, affine=False)).train()


def _state(model: nn.Module) -> list[object]:
    weights = [value.tolist() for value in model.state_dict().values()]
    return [*weights, list(model.state_dict()), *((m.training, len(m._forward_hooks)) for m in model.modules())]


@pytest.fixture(scope="module")
def fakes() -> tuple[dict[str, Reading], list[Reading], bool]:
    """The readings of all fakes but the one that hangs, in the order they came, and whether the model is untouched."""
    names = ["raises", "prints", "exits", "counts", "absent", "asserts", "dies"]
    model, told = _model(), []
    before = _state(model)
    job = Job(model, Feed((TensorSpec((3, 6)),)))
    readings = read_all(job, [f"{FAKES}.{name}" for name in names], progress=told.append)
    assert [reading.tool for reading in readings] == [f"{FAKES}.{name}" for name in names]
    return dict(zip(names, readings, strict=True)), told, _state(model) == before


def test_a_good_counter_reads_among_bad_ones(fakes):
    counts = fakes[0]["counts"]
    assert (counts.total, counts.error, counts.missing, counts.timed_out) == (PARAMS, None, None, False)
    assert counts.layers == {"": 0, "0": PARAMS, "1": 0}
    assert counts.version == torch.__version__.partition("+")[0]


def test_the_model_is_in_eval_mode(fakes):
    assert fakes[0]["counts"].note == "eval"


def test_one_that_prints_is_read_all_the_same(fakes, capfd):
    assert fakes[0]["prints"].total == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", "RuntimeError: cannot count (KeyError: 'rule')"),
        ("asserts", "AssertionError: assert len(args) > 99 (asserts.py, line 9)"),
        ("exits", f"the process of {FAKES}.exits ended with status 7 and without a result (last words)"),
    ],
)
def test_one_that_fails_says_so_in_one_line(fakes, name, said):
    reading = fakes[0][name]
    assert reading.error == said
    assert not reading.is_read


def test_one_that_is_killed_says_so(fakes):
    assert fakes[0]["dies"].error.startswith(f"the process of {FAKES}.dies was killed by signal 11")


def test_one_that_is_not_installed_says_how_to_install_it(fakes):
    assert fakes[0]["absent"].missing == "no-such-counter is not installed; pip install no-such-counter"


def test_progress_is_told_every_reading(fakes):
    readings, told, _ = fakes
    assert sorted(map(str, told)) == sorted(map(str, readings.values()))


def test_the_model_is_untouched(fakes):
    assert fakes[2]


def test_one_that_hangs_is_stopped_with_all_that_it_started(tmp_path, monkeypatch):
    child = tmp_path / "child"
    monkeypatch.setenv("HANGS_CHILD", str(child))
    job = Job(_model(), Feed((TensorSpec((3, 6)),)))
    (reading,) = read_all(job, [f"{FAKES}.hangs"], time_limit_s=10)
    assert reading.timed_out
    assert reading.error == f"{FAKES}.hangs took longer than 10 seconds and was stopped; give it more time"
    assert child.exists(), "it was stopped before it could hang"
    assert not _is_running(int(child.read_text()))


def _is_running(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(5)
    return psutil.pid_exists(pid)


def test_a_counter_that_there_is_not_is_refused():
    with pytest.raises(errors.ProfileError, match="no counter is called 'fvcoer'; choose from calflops"):
        read_all(Job("resnet18"), ["fvcoer"])
    with pytest.raises(errors.ProfileError):
        read_all(Job("resnet18"), ["no_such_module.counter"])


MAIN = """
import torch
from torch import nn
from profiler.records.inputs import TensorSpec
from profiler.counters.running.job import Job
from profiler.counters.running.run import read_all
from profiler.records.spec import Feed

WIDTH = 7

class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = lambda x: x.relu()
        self.layer = nn.Linear(6, WIDTH, bias=False)

    def forward(self, x, scale=None):
        return self.act(self.layer(x)) * (1 if scale is None else scale)

if __name__ == "__main__":
    job = Job(Mine(), Feed((TensorSpec((3, 6)),), {"scale": torch.ones(7)}))
    for reading in read_all(job, ["torch"]):
        print(reading.total, reading.layers, reading.error)
"""


def test_a_model_whose_class_is_in_the_main_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True)
    macs = 3 * 6 * 7
    assert done.stdout == f"{2 * macs} {{'': 0, 'layer': {2 * macs}}} None\n"


def test_the_worker_writes_its_reading_and_nothing_else(tmp_path):
    Job(_model(), Feed((TensorSpec((3, 6)),))).save(tmp_path / "job")
    with (tmp_path / "job").open("rb") as job:
        done = _worker(f"{FAKES}.prints", stdin=job)
    assert (done.returncode, done.stderr) == (0, "a table that nobody wants\nand more of it\n")
    assert Reading.from_dict(json.loads(done.stdout)).total == 1


def test_the_worker_says_how_it_is_called():
    done = _worker()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usage: python -m profiler.counters.running.worker TOOL < JOB > READING\n"


def _worker(*arguments: str, stdin: IO[bytes] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, "-u", "-m", "profiler.counters.running.worker", *arguments]
    return subprocess.run(command, env=environment, stdin=stdin, capture_output=True, text=True, check=False)


def test_resnet34_by_fvcore_and_thop():
    """The published figures; batch norm and average pooling are what they add to 3,663,761,408 MACs."""
    fvcore, thop = read_all(Job("resnet34"), ["fvcore", "thop"])
    assert (fvcore.error, thop.error) == (None, None)
    assert (fvcore.total, fvcore.params) == (3_671_262_720, 21_797_672)
    assert (thop.total, thop.params) == (3_678_739_456, 21_797_672)
    for reading in (fvcore, thop):
        assert sum(reading.layers.values()) == reading.total
        assert reading.layers["conv1"] == 64 * 3 * 7 * 7 * 112 * 112
        assert reading.layers["layer1"] == 0
        assert reading.layer_params["fc"] == 512 * 1000 + 1000
    assert fvcore.layers["bn1"] == 2 * 64 * 112 * 112
    assert thop.layers["bn1"] == 4 * 64 * 112 * 112


def test_a_spec_in_a_file_beside_us(tmp_path, monkeypatch):
    """It is found from where we are, and what it needs is found beside it."""
    (tmp_path / "widths.py").write_text("WIDE = 5")
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nfrom widths import WIDE\ndef build(deep=1): return nn.Linear(6, WIDE * deep, bias=False)"
    )
    monkeypatch.chdir(tmp_path)
    (reading,) = read_all(Job("mine.py:build(deep=2)", Feed((TensorSpec((3, 6)),))), ["torch"])
    assert (reading.error, reading.total) == (None, 2 * 3 * 6 * 5 * 2)


def test_a_model_that_there_is_not():
    with warnings.catch_warnings():
        reading = read("torch", lambda: Job("no_such_zoo_model"))
    assert reading.error.startswith("no model is called 'no_such_zoo_model'")
