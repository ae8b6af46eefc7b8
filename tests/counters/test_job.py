"""What is to be read, on its way to another process."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import ModuleType, SimpleNamespace

import psutil
import pytest
import torch
from torch import nn

from profiler import errors, profile
from profiler.counters.running.job import Job
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed


def _sent(job: Job, folder) -> Job:
    job.save(folder / "job")
    return Job.load(folder / "job")


def test_a_spec_becomes_a_model_with_weights():
    model, args, kwargs = Job("squeezenet1_1", Feed(batch=2)).real()
    assert all(weight.device.type == "cpu" for weight in model.state_dict().values())
    assert not any(module.training for module in model.modules())
    assert [tuple(arg.shape) for arg in args] == [(2, 3, 224, 224)]
    assert kwargs == {}


def test_shapes_become_tensors_and_tensors_stay(tmp_path):
    given = torch.rand(2, 6)
    feed = Feed((given, [TensorSpec((2, 3), "int64")]), {"mask": TensorSpec((2,), "bool"), "mode": "fast"})
    _, args, kwargs = _sent(Job(nn.Linear(6, 4), feed), tmp_path).real()
    assert torch.equal(args[0], given)
    assert (args[1][0].shape, args[1][0].dtype) == ((2, 3), torch.int64)
    assert (kwargs["mask"].dtype, kwargs["mode"]) == (torch.bool, "fast")


def test_what_two_modules_share_is_shared_still(tmp_path):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU())
    model[1].weight = model[0].weight
    model.append(model[0])
    sent = _sent(Job(model, Feed((TensorSpec((1, 4)),))), tmp_path).model
    assert sent[1].weight is sent[0].weight
    assert sent[3] is sent[0]


def test_lazy_modules_have_learned_their_shapes(tmp_path):
    model, *_ = _sent(Job(nn.Sequential(nn.LazyLinear(4)), Feed((TensorSpec((2, 6)),))), tmp_path).real()
    assert tuple(model[0].weight.shape) == (4, 6)


def test_a_class_of_a_module_that_is_nowhere_else(tmp_path, monkeypatch):
    """As those of notebooks and of files that were loaded by hand are."""
    module = ModuleType("only_in_this_process")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("from torch import nn\nclass Odd(nn.Linear):\n    pass", module.__dict__)
    Job(module.Odd(6, 4), Feed((TensorSpec((2, 6)),))).save(tmp_path / "job")
    code = "import sys; from profiler.counters.running.job import Job; print(Job.load(sys.argv[1]).name)"
    environment = {"PYTHONPATH": ":".join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "job")], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "Odd\n"


def test_a_model_that_cannot_be_sent(tmp_path):
    model = nn.Linear(6, 4)
    model.lock = threading.Lock()
    with pytest.raises(errors.ProfileError, match=r"^Linear cannot be copied .*lock.*; name it by a spec"):
        Job(model, Feed((TensorSpec((2, 6)),))).save(tmp_path / "job")


def test_a_model_without_values():
    with torch.device("meta"):
        model = nn.Linear(6, 4)
    with pytest.raises(errors.ProfileError, match="give it real weights"):
        Job(model, Feed((TensorSpec((2, 6)),))).real()


def test_a_model_whose_weights_do_not_fit(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**20))
    with pytest.raises(errors.ProfileError, match=r"weights of vgg11: 507MB, and 1MB are free"):
        Job("vgg11").real()


def test_a_saved_trace_cannot_be_run(tmp_path):
    path = tmp_path / "saved.json"
    profile(nn.Linear(6, 4), (2, 6)).save(str(path))
    with pytest.raises(errors.ProfileError, match="is a saved trace"):
        Job(str(path)).real()
