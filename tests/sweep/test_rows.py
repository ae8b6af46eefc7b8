"""Each model has its row, whatever another one does to the process that it runs in, and however many run at once."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import profiler
from profiler import ProfileError
from profiler.answers.sweep import running
from profiler.api import sweeping
from profiler.engine.processes import ties
from profiler.engine.processes.child import MEMORY, Bounds, Child, Ended
from tests.shell import run
from tests.sweep.asked import FINE, ROOT, ZOO, command, environment, rows_of

AT = f"at {ZOO}:42; take that out of what is imported, built and run"
ENDING = {
    "aborts": ("crashed", f"the process that imported, built and ran {ZOO}:aborts was killed by signal 6 (SIGABRT)"),
    "hangs": ("timeout", f"{ZOO}:hangs took longer than 4 seconds; give it more by --timeout"),
    "eats": ("memory", f"{ZOO}:eats took more than 1 GB of memory; give it more by --memory"),
    "raises": ("failed", f"{ZOO}:raises cannot be built (ValueError: no such width, at {ZOO}:37); check its arguments"),
    "leaves": ("failed", f"{ZOO}:leaves cannot be measured: its code ends the program with SystemExit(3), {AT}"),
}
WIDTHS = {"forks": 7, "disturbs": 6, "undisturbed": 5}  # of models that are well, whatever else they do
BOUNDS = ("--timeout", "4", "--memory", "1GB")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The rows of all of them, by what is behind the colon."""
    output = tmp_path_factory.mktemp("sweep") / "zoo.csv"
    specs = [f"{ZOO}:{name}" for name in ("linear", *ENDING, *WIDTHS)]
    process = command(*specs, *BOUNDS, "--jobs", "2", "-o", str(output))
    said = "profile-model: 9 models: 4 ok, 1 crashed, 2 failed, 1 memory, 1 timeout\n"
    assert (process.returncode, process.stdout, process.stderr) == (0, "", said)
    with output.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["spec"] for row in rows] == specs
    return {row["spec"].partition(":")[2]: row for row in rows}


@pytest.mark.parametrize("name", ENDING)
def test_a_model_that_ends_its_process_has_a_row_with_the_reason(ended: dict[str, dict[str, str]], name: str) -> None:
    assert (ended[name]["status"], ended[name]["reason"]) == ENDING[name]
    assert ended[name]["macs"] == ""


@pytest.mark.parametrize("name", WIDTHS)
def test_others_are_whole(ended: dict[str, dict[str, str]], name: str) -> None:
    row, width = ended[name], WIDTHS[name]
    assert (row["status"], row["reason"]) == ("ok", "")
    assert {key: int(row[key]) for key in ("params", "macs", "flops", "size_bytes")} == {
        "params": width * 4, "macs": width * 4, "flops": 2 * width * 4, "size_bytes": 4 * width * 4,
    }  # fmt: skip


def test_a_row_has_the_figures_of_a_profile() -> None:
    (row,) = profiler.sweep("resnet18", convention=["flops", "fvcore"], device="h100-sxm", jobs=1).rows
    profile = profiler.profile("resnet18", device="h100-sxm")
    totals = profile.totals
    assert profile.times is not None
    assert (row["params"], row["macs"], row["flops"]) == (totals.params, totals.macs, totals.flops)
    assert (row["size"], row["activations"]) == (totals.param_bytes, totals.activation_bytes)
    assert (row["peak"], row["memory"]) == (totals.peak_activation_bytes, totals.peak_memory_bytes)
    assert row["flops_fvcore"] == profile.under("fvcore").totals.flops
    assert (row["time"], row["time_high"]) == (profile.times.whole.seconds, profile.times.whole.high)


def test_the_status_is_0_for_a_complete_sweep_1_with_strict_and_2_where_nothing_works() -> None:
    some, none = (f"{FINE[0]}", f"{ZOO}:raises"), (f"{ZOO}:raises", f"{ZOO}:leaves")
    assert command(*some, "--jobs", "1").returncode == 0
    strict = command(*some, "--jobs", "1", "--strict")
    assert strict.returncode == 1
    assert "--strict: 2 models: 1 ok, 1 failed; see the column reason" in strict.stderr
    nothing = command(*none, "--jobs", "1")
    assert nothing.returncode == 2
    assert "none of the models could be profiled (2 models: 2 failed); the first: " in nothing.stderr
    assert nothing.stdout.count("failed: ") == 2


def test_rows_do_not_depend_on_how_many_run_at_once() -> None:
    specs = [*FINE, f"{ZOO}:raises"]
    assert rows_of(specs, jobs=1) == rows_of(specs, jobs=2)


def test_what_is_wrong_is_said_before_a_model_is_run(tmp_path: Path) -> None:
    for wrong, says in (
        ({"columns": ["mac"]}, "no column is called 'mac'"),
        ({"where": "mac < 1G"}, "did you mean macs?"),
        ({"max_time": "5ms"}, "max_time means something with --device alone"),
        ({"best": "input"}, "column 'input' has no best by itself; write input:min or input:max"),
        ({"pareto": ["macs"]}, "one column has one best row"),
        ({"convention": "flips"}, "flips"),
        ({"device": "h1000"}, "h1000"),
        ({"on": "slurm://there:1"}, "--on slurm://there:1: a cluster is written dask://HOST:PORT or ray://HOST:PORT"),
        ({"resume": True}, "--resume means something with --output alone"),
        ({"output": str(tmp_path / "none" / "zoo.csv")}, "cannot be written"),
    ):
        with pytest.raises(ProfileError) as caught:
            profiler.sweep([f"{ZOO}:hangs"], **wrong)  # type: ignore[arg-type]
        assert says in str(caught.value)


def test_a_process_that_cannot_work_is_no_endless_loop() -> None:
    """One that ends before it takes the work is begun again, some times."""
    with pytest.raises(ProfileError, match=r"cannot be begun: .* -m tests\.sweep\.refusing"):
        Child("tests.sweep.refusing").ask(b"", Bounds())


def test_a_worker_that_is_lost_is_an_error_of_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As Dask's `KilledWorker` is where a model has ended worker after worker."""

    def lost(*_: object) -> None:
        raise RuntimeError("four workers died\nwhile they had it")

    monkeypatch.setattr(running, "_row", lost)
    status, out, err = run(
        capsys, "sweep", "torch.nn:Identity", "--input", "2", "--jobs", "1", "-o", str(tmp_path / "a.csv")
    )
    assert (status, out) == (2, "")
    reason = "a worker on this machine was lost (RuntimeError: four workers died)"
    assert err == f"profile-model: {reason}; what ended is in the journal, and --resume goes on\n"
    with pytest.raises(ProfileError) as caught:  # no journal, of which it would say anything
        profiler.sweep("torch.nn:Identity", inputs="2", jobs=1)
    assert str(caught.value) == f"{reason}; --output keeps what ends, for --resume to go on with"


def test_a_process_does_not_end_itself_where_joblib_begins_no_other() -> None:
    """As where joblib is told so, and in a process that may have no children."""
    code = f"import profiler; print(*(row['status'] for row in profiler.sweep({FINE[:2]}, jobs=2).rows))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**environment(), "JOBLIB_MULTIPROCESSING": "0"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (told.returncode, told.stdout, told.stderr) == (0, "ok ok\n", "")


def test_a_process_is_not_tied_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ties, "prctl", lambda *_: pytest.fail("it is tied"))
    ties.die_with(os.getpid())


def test_no_more_processes_are_begun_than_there_are_models() -> None:
    with running._backend(None, 10**9, 3) as (many, is_here):
        assert (many, is_here) == (3, True)


WHOLE, SECONDS = "not a whole number from 1 to 2,147,483,647", "not a number of seconds from 1 to 10,000,000"
WRONG: list[tuple[str, object, str]] = [
    ("jobs", -3, f"jobs=-3: {WHOLE}"), ("jobs", 0, f"jobs=0: {WHOLE}"), ("jobs", "x", f"jobs='x': {WHOLE}"),
    ("jobs", True, f"jobs=True: {WHOLE}"), ("batch", 0, f"batch=0: {WHOLE}"), ("seq", -1, f"seq=-1: {WHOLE}"),
    ("top", 0, f"top=0: {WHOLE}"),
    ("timeout", -1, f"timeout=-1: {SECONDS}"), ("timeout", 0.0001, f"timeout=0.0001: {SECONDS}"),
    ("timeout", float("nan"), f"timeout=nan: {SECONDS}"),
    ("memory", 0, "memory=0: not a size above 0; "), ("memory", "0B", "memory='0B': not a size above 0; "),
    ("memory", "3", "memory='3': not a size above 0; "),
    ("on", 3, "on has int in the place of a text"), ("where", 3, "where has int in the place of a text"),
    ("columns", [3], "columns has int in the place of a text"), ("output", 3, "output has int in the place of a text"),
    ("inputs", [1, 8], "inputs has int in the place of a shape; write it like '1x3x224x224' or (1, 3, 224, 224)"),
    ("inputs", 8, "inputs has int in the place of a shape"), ("inputs", (-1, 8), "input -1x8 has a size below 0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "says"), WRONG)
def test_python_refuses_what_the_command_refuses(name: str, value: object, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profiler.sweep(f"{ZOO}:hangs", **{name: value})  # type: ignore[arg-type]
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_the_command_refuses_no_memory(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "sweep", f"{ZOO}:hangs", "--memory", "0B")
    assert status == 2
    assert err.startswith("profile-model: --memory 0B: not a size above 0; ")


@pytest.mark.parametrize("models", [3, None, nn.Linear(8, 4), [nn.Linear(8, 4)], nn.Sequential(nn.Linear(8, 4)), b"a"])
def test_models_that_are_no_specs_are_refused(models: Any) -> None:
    with pytest.raises(ProfileError, match=r"^sweep takes specs, texts such as 'resnet18' .*, not \w+; profile\(model"):
        profiler.sweep(models)


@pytest.mark.parametrize(
    ("inputs", "texts"),
    [
        ("5x7", ["5x7"]), ((5, 7), ["5x7"]), (["5x7"], ["5x7"]), ([(5, 7)], ["5x7"]), ((), []), (None, []),
        (((5, 7), "ids=3:int64"), ["5x7", "ids=3:int64"]),
    ],
)  # fmt: skip
def test_shapes_are_written_as_the_command_takes_them(inputs: Any, texts: list[str]) -> None:
    assert list(sweeping._shapes(inputs)) == texts


def test_a_tuple_of_integers_is_one_shape_as_it_is_for_a_profile() -> None:
    (row,) = rows_of(["torch.nn:Identity"], inputs=(5, 7), jobs=1)
    assert row["input"] == "5x7"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (3 << 30, "3 GB"), (8 << 30, "8 GB"), (3 << 29, "1.5 GB"), (2500 << 20, "2,500 MB"), (2 << 40, "2 TB"),
        (100_000_000, "97,656.25 KB"), (100_000_001, "100,000,001 B"), (100, "100 B"),
    ],
)  # fmt: skip
def test_a_limit_of_memory_is_shown_in_the_unit_that_a_reader_wants(size: int, text: str) -> None:
    said = running._why("a", Ended(MEMORY), Bounds(300.0, size))
    assert str(said) == f"a took more than {text} of memory; give it more by --memory"
