"""What an import does not import: `--help` and saved traces need no torch. And the proof that this can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from profiler import profile

HEAVY = ("torch", "torchvision", "timm", "numpy")


def loaded(code: str, *argv: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has loaded after some code."""
    before = f"import sys; sys.argv[1:] = {list(argv)!r}"
    after = f"print('loaded', *[name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", f"{before}\n{code}\n{after}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


COMMAND = "from profiler.cli.main import main\nassert main() == 0"


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import profiler") == set()


def test_help_loads_nothing_heavy() -> None:
    assert loaded(COMMAND, "--help") == set()


@pytest.mark.parametrize("format", ["text", "markdown", "csv", "json", "latex", "html", "github"])
def test_a_saved_trace_renders_without_torch(tmp_path: Path, format: str) -> None:
    path = tmp_path / "saved.json"
    profile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (1, 3, 8, 8)).save(path)
    assert loaded(COMMAND, str(path), "--format", format) == set()


def test_a_saved_traces_weights_are_quantised_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    profile(nn.Linear(3, 4), (1, 3)).save(path)
    assert loaded(COMMAND, "weights", str(path), "--as", "int8") == set()
    assert loaded(COMMAND, "weights", str(path), "--format", "json") == set()


def test_a_saved_trace_is_explained_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    profile(nn.Linear(3, 4), (1, 3)).save(path)
    assert loaded(COMMAND, "explain", str(path)) == set()


@pytest.mark.parametrize("format", ["text", "markdown", "csv", "json", "latex", "html", "github"])
def test_saved_traces_are_held_against_each_other_without_torch(tmp_path: Path, format: str) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    profile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (1, 3, 8, 8)).save(old)
    profile(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()), (1, 3, 8, 8)).save(new)
    assert loaded(COMMAND, "diff", str(old), str(new), "--format", format) == set()
    assert loaded(COMMAND, "diff", str(old), str(new), "--max-increase", "90%") == set()


def test_the_tests_above_can_fail() -> None:
    assert "torch" in loaded(COMMAND, "resnet18", "--depth", "0")


def test_a_refusal_costs_no_model() -> None:
    """Options are checked before anything heavy is loaded."""
    code = "from profiler.cli.main import main\nassert main() == 2"
    assert loaded(code, "resnet34", "--format", "xlsx") == set()
    assert loaded(code, "resnet34", "--input", "1,3") == set()
    assert loaded(code, "scan", "resnet34", "batch=0") == set()
    assert loaded(code, "largest", "resnet34", "batch", "--in", "8") == set()


def test_a_refusal_reads_no_formulas_and_lays_out_no_table() -> None:
    code = "from profiler.cli.main import main\nassert main() == 2\n"
    unread = "assert not {'profiler.ops.matmul', 'profiler.answers.generate.table', 'tabulate', 'ssl'} & {*sys.modules}"
    assert loaded(code + unread, "resnet34", "--format", "xlsx") == set()


SLOW = ("importlib.metadata", "rich", "tabulate", "wcwidth", "tomllib", "numpy", "profiler.sources.checkpoints.pickled")
AFTER = f"\nassert not {{*{SLOW!r}}} & {{*sys.modules}}, {{*{SLOW!r}}} & {{*sys.modules}}"


@pytest.mark.parametrize("verb", [[], ["explain"], ["memory"], ["weights"]], ids=" ".join)
def test_a_saved_trace_waits_for_no_library_that_it_has_no_need_of(tmp_path: Path, verb: list[str]) -> None:
    path = tmp_path / "saved.json"
    profile(nn.Linear(3, 4), (1, 3)).save(path)
    assert loaded(COMMAND + AFTER + "\nassert 'cyclopts' not in sys.modules", *verb, str(path)) == set()
    with pytest.raises(subprocess.CalledProcessError):  # which reads options
        loaded(COMMAND + "\nassert 'cyclopts' not in sys.modules", *verb, str(path), "--format", "json")


def test_a_saved_trace_is_timed_on_a_device_of_the_catalogue_without_numpy(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    profile(nn.Linear(3, 4), (1, 3)).save(path)
    assert loaded(COMMAND, "time", str(path), "--device", "h100-sxm") == set()


@pytest.mark.parametrize("arguments", [["resnet34", "--nope"], ["explain"], ["resnet34", "--batch", "0"]])
def test_a_refusal_waits_for_no_library_that_it_has_no_need_of(arguments: list[str]) -> None:
    assert loaded("from profiler.cli.main import main\nassert main() == 2" + AFTER, *arguments) == set()


def test_what_is_not_waited_for_is_seen_where_it_is_needed(tmp_path: Path) -> None:
    """Which shows that the tests above can fail."""
    path = tmp_path / "saved.json"
    profile(nn.Linear(3, 4), (1, 3)).save(path)
    seen = "\nassert 'tabulate' in sys.modules"
    assert loaded(COMMAND + seen, str(path), "--format", "markdown") == set()


def test_the_first_formula_of_a_users_own_is_held_against_ours() -> None:
    """Though ours are read at the first question: which comes first must not matter."""
    own = "from profiler import formula\ntry: formula('aten.mm')(print)\nexcept ValueError as error: print(error)\n"
    assert loaded(own + "assert 'profiler.ops.matmul' in sys.modules") == set()
    replaced = "from profiler import formula\nfrom profiler.ops.registry import formula_of, is_known\n"
    replaced += "formula('aten.mm', replace=True)(print)\nassert is_known('aten.mm') and formula_of('aten.mm') is print"
    assert loaded(replaced) == set()
