"""Limits on the figures of each verb that has some: met exactly, and one less is status 1, with the layers it is in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiler import Profile, generate
from profiler.answers.check.compute import LimitValues
from profiler.answers.common.limitable import ALL_FIGURES, FIGURES
from profiler.answers.generate.generation import Generation
from profiler.answers.weights.compute import quantised
from tests.shell import run

NET = """
from torch import nn
def net(): return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 32))
"""
FED = ("nets.py:net", "--input", "4x64")
LAYERS, WIDTH, SEQ, NEW, FLOAT = 2, 64, 16, 8, 4
LLAMA = (
    f"hf:LlamaConfig(hidden_size={WIDTH}, intermediate_size=128, num_hidden_layers={LAYERS}, num_attention_heads=8, "
    "num_key_value_heads=2, vocab_size=100)"
)
TOKEN = LAYERS * 2 * 2 * 8 * FLOAT  # keys and values of two heads of eight
PARAMS = 64 * 256 + 256 + 256 * 32 + 32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def held(capsys: pytest.CaptureFixture[str], value: int, option: str, *argv: str) -> str:
    """What is said of one less than a value, which is allowed itself."""
    unit = "B" if option in ("--max-size", "--max-cache", "--max-peak-memory") else ""
    status, out, err = run(capsys, *argv, option, f"{value}{unit}")
    assert (status, err) == (0, "")
    assert run(capsys, *argv, option, f"{value - 1}{unit}")[:2] == (1, out)
    status, _, err = run(capsys, *argv, option, f"{value - 1}{unit}")
    assert f"({option}), 1" in err
    assert "over; most is in" in err
    return err


@pytest.mark.parametrize("scheme", ["int8", "nf4"])
def test_the_size_in_a_format(capsys: pytest.CaptureFixture[str], scheme: str) -> None:
    from profiler.api.profiling import run as profiled
    from profiler.records.inputs import TensorSpec
    from profiler.records.spec import Feed

    stored = quantised(profiled("nets.py:net", Feed((TensorSpec((4, 64)),))), scheme).stored_bytes
    err = held(capsys, stored, "--max-size", "weights", *FED, "--as", scheme)
    assert err.startswith(f"profile-model: nets.py:net, size as {scheme}: ")
    assert "most is in 0 (" in err


def test_every_format_of_every_model_is_held(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("weights", *FED, "--label", "a", "--as", "fp16,int8,bf16", "--max-size")
    assert run(capsys, *argv, f"{2 * PARAMS}B")[::2] == (0, "")
    status, _, err = run(capsys, *argv, f"{2 * PARAMS - 1}B")
    assert status == 1
    assert [line.split(":")[1] for line in err.splitlines()] == [" a, size as fp16", " a, size as bf16"]


def test_a_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("train", *FED, "--optimizer", "adamw")
    peak = json.loads(run(capsys, *argv, "--format", "json")[1])["totals"]["peak_memory_bytes"]
    err = held(capsys, peak, "--max-peak-memory", *argv)
    assert "the optimizer's state" in err
    assert held(capsys, peak, "--max-peak-memory", "memory", *FED, "--optimizer", "adamw") == err


@pytest.fixture(scope="module")
def generated() -> Generation:
    pytest.importorskip("transformers")
    found = generate(LLAMA, seq=SEQ, new_tokens=NEW)
    assert isinstance(found, Generation)
    return found


GENERATE = ("generate", LLAMA, "--seq", str(SEQ))


@pytest.mark.parametrize(
    ("more", "words", "tokens"),
    [
        (("--phase", "prefill"), "prefill", SEQ),
        ((), "decode step", SEQ + 1),
        (("--new-tokens", str(NEW)), f"{NEW} decode steps", SEQ + NEW),
    ],
)
def test_the_cache(capsys: pytest.CaptureFixture[str], more: tuple[str, ...], words: str, tokens: int) -> None:
    pytest.importorskip("transformers")
    err = held(capsys, tokens * TOKEN, "--max-cache", *GENERATE, *more)
    assert err.startswith(f"profile-model: {LLAMA}, {words}, cache: ")
    assert "model.layers.0.self_attn (" in err
    assert err.count("\n") == 1  # the other phases are within the limit


def test_the_peak_of_a_phase(capsys: pytest.CaptureFixture[str], generated: Generation) -> None:
    assert generated.decode is not None
    peaks = {phase.name: phase.peak_memory_bytes for phase in (generated.prefill, generated.decode)}
    assert peaks["prefill"] > peaks["decode"]
    assert ", prefill, peak memory: " in held(capsys, peaks["prefill"], "--max-peak-memory", *GENERATE)
    for phase, peak in peaks.items():
        held(capsys, peak, "--max-peak-memory", *GENERATE, "--phase", phase)
        held(capsys, peak, "--max-peak-memory", "memory", *GENERATE[1:], "--phase", phase)


def test_macs_of_each_phase(capsys: pytest.CaptureFixture[str], generated: Generation) -> None:
    assert ", prefill, MACs: " in held(capsys, generated.prefill.macs, "--max-macs", *GENERATE)


def test_a_saved_decode_step_names_the_layers_that_keep_the_cache(
    capsys: pytest.CaptureFixture[str], generated: Generation
) -> None:
    """The cache was there before the run; it is the attention's that reads it, and not that of the last call."""
    assert run(capsys, *GENERATE, "--phase", "decode", "--save", "step.json")[0] == 0
    step = Profile.load("step.json")
    contributions = FIGURES["peak-memory"].by_layer(step)
    assert sum(part.amount for part in contributions) == step.totals.peak_memory_bytes
    parts = {part.path: part.amount for part in contributions}
    weights = {layer.path: layer.own.param_bytes + layer.own.buffer_bytes for layer in step.layers}
    for layer in range(LAYERS):
        path = f"model.layers.{layer}.self_attn"
        assert parts[path] >= SEQ * TOKEN // LAYERS
        assert weights[path] == 0
    assert parts["lm_head"] < weights["lm_head"] + SEQ * TOKEN // LAYERS
    assert step.totals.peak_memory_bytes is not None
    held(capsys, step.totals.peak_memory_bytes, "--max-peak-memory", "step.json", "--depth", "0")


SERVED = ("generate", LLAMA, "--seq", str(SEQ), "--device", "h100-sxm", "--notes", "none")
OF_SERVED = {"--max-time-to-first-token": "time to first token", "--max-time-per-token": "time per token"}


@pytest.mark.parametrize("option", OF_SERVED)
def test_the_time_of_a_phase_on_devices(capsys: pytest.CaptureFixture[str], option: str) -> None:
    pytest.importorskip("transformers")
    serving = generate(LLAMA, seq=SEQ, device="h100-sxm").serving
    assert serving is not None
    run_of = serving.first_token if option == "--max-time-to-first-token" else serving.token
    least = round(1e9 * run_of.seconds)
    assert run(capsys, *SERVED, option, f"{least}ns")[::2] == (0, "")
    status, out, err = run(capsys, *SERVED, option, f"{least - 1}ns")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"profile-model: {LLAMA}, {OF_SERVED[option]}, lower bound on h100-sxm: ")
    assert out == run(capsys, *SERVED)[1]
    status, _, err = run(capsys, *SERVED[:4], option, "1s")
    assert (status, err.count("\n")) == (2, 1)
    assert f"{option} means something with --device alone" in err


def test_what_does_not_fit_has_no_time(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    pytest.importorskip("transformers")
    (folder / "small.toml").write_text(SMALL)
    status, _, err = run(capsys, *SERVED[:4], "--device", "small.toml", "--max-time-per-token", "1h")
    assert (status, err.count("\n")) == (1, 1)
    assert "time per token: cannot be held to 1 h (--max-time-per-token), for it does not fit on small" in err


SMALL = """
[small]
title = "A small memory"
kind = "gpu"
memory = "1 KB"
memory_bandwidth = 1e12
peak = { float32 = 1e12 }
"""


def test_a_budget_file_has_the_times_of_phases(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    pytest.importorskip("transformers")
    serving = generate(LLAMA, seq=SEQ, device="h100-sxm", devices=2, weights="fp16").serving
    assert serving is not None
    times = [round(1e9 * each.seconds) for each in (serving.first_token, serving.token)]
    both = f'max-time-to-first-token = "{times[0]}ns"\nmax-time-per-token = "{times[1] - 1}ns"'
    row = f'[[models]]\nmodel = "{LLAMA}"\nlabel = "llama"\nseq = {SEQ}\ndevice = "h100-sxm"\n'
    (folder / "b.toml").write_text(f'{row}devices = 2\nas = "fp16"\nmax-params = "1M"\n{both}\n')
    status, out, err = run(capsys, "check", "b.toml", "--format", "json")
    (model,) = json.loads(out)
    assert [limit["measured"] for limit in model["limits"]][1:] == times
    assert (status, err.count("\n")) == (1, 1)
    assert "llama, time per token, lower bound on 2 x h100-sxm: " in err
    for more, words in BAD_SERVED.items():
        (folder / "bad.toml").write_text(f"{row.replace(*more[1])}{more[0]}\n")
        status, _, err = run(capsys, "check", "bad.toml")
        assert (status, err.count("\n")) == (2, 1)
        assert words in err


KEPT, WITHOUT_DEVICE = ("", ""), ('device = "h100-sxm"\n', "")
BAD_SERVED = {
    ('max-time-per-token = "1s"', WITHOUT_DEVICE): "a time is one on a device; add that",
    ('phase = "decode"\nmax-time-per-token = "1s"', KEPT): "is of a whole generation; leave out 'phase'",
    ('training = true\nmax-time-per-token = "1s"', KEPT): "is of a whole generation; leave out 'training'",
    ('devices = 2\nmax-time = "1s"', KEPT): "the key 'devices' is about max-time-to-first-token and max-time-per-token",
    ('devices = 3\nmax-time-per-token = "1s"', KEPT): "--tensor-parallel 3 does not divide",
}


def test_a_budget_file_has_the_same(capsys: pytest.CaptureFixture[str], folder: Path, generated: Generation) -> None:
    """A training step, a phase and a format, in a file: each figure equals what the verb shows."""
    training = json.loads(run(capsys, "train", *FED, "--optimizer", "adamw", "--format", "json")[1])
    assert generated.decode is not None
    (folder / "b.toml").write_text(f"""
        [[models]]
        model = "nets.py:net"
        label = "training"
        input = "4x64"
        optimizer = "adamw"
        max-peak-memory = "1kB"

        [[models]]
        model = "nets.py:net"
        label = "half"
        input = "4x64"
        as = "fp16"
        max-size = "1kB"

        [[models]]
        model = "{LLAMA}"
        label = "decode"
        seq = {SEQ}
        phase = "decode"
        max-cache = "1kB"
        max-peak-memory = "1kB"
        """)
    status, out, err = run(capsys, "check", "b.toml", "--format", "json")
    measured = [limit["measured"] for model in json.loads(out) for limit in model["limits"]]
    peak = training["totals"]["peak_memory_bytes"]
    assert (status, measured) == (1, [peak, 2 * PARAMS, (SEQ + 1) * TOKEN, generated.decode.peak_memory_bytes])
    assert "half, size as fp16: " in err


def test_one_list_of_limits(capsys: pytest.CaptureFixture[str]) -> None:
    """Python, budget files and the command line name the same."""
    assert {figure.keyword for figure in FIGURES.values()} == LimitValues.__annotations__.keys()
    shown = "".join(run(capsys, verb, "--help")[1] for verb in ("memory", "generate"))
    assert all(f"--{figure.key} " in shown for figure in ALL_FIGURES.values())


@pytest.mark.parametrize("verb", ["weights", "generate", "train", "memory"])
def test_a_bad_limit_is_refused_before_anything_runs(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    status, out, err = run(capsys, verb, "no_such_model", "--max-size", "80")
    assert (status, out) == (2, "")
    assert err.startswith("profile-model: --max-size 80: not a size; write it with its unit")
