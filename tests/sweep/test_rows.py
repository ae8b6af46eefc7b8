"""Each model has its row, whatever another one does to the process that it runs in, and however many run at once."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import profiler
from profiler import ProfileError
from profiler.answers.sweep import running
from profiler.engine.processes.child import Bounds, Child
from tests.shell import run
from tests.sweep.asked import FINE, ZOO, command, rows_of

AT = f"at {ZOO}:42; take that out of what is imported, built and run"
ENDING = {
    "aborts": ("crashed", f"the process that imported, built and ran {ZOO}:aborts was killed by signal 6 (SIGABRT)"),
    "hangs": ("timeout", f"{ZOO}:hangs took longer than 4 seconds; give it more by --timeout"),
    "eats": ("memory", f"{ZOO}:eats took more than 1,024.00 MB of memory; give it more by --memory"),
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
