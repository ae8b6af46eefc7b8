"""Which rows are shown: an expression, a budget, the rows that none is better than, and the best of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import profiler
from profiler import ProfileError
from profiler.answers.common.ordering import pareto
from profiler.answers.sweep.where import where
from tests import shell

ROW: dict[str, Any] = {
    "macs": 3_000_000,
    "size": 5 << 20,
    "time": 0.004,
    "acc@1": 75.5,
    "bound": "memory",
    "zeros": None,
}
KNOWN = [*ROW, "acc 5"]
TABLE = """\
model,spec,status,reason,params,macs,size_bytes,unknown,lower_bound_time_seconds,bound,acc@1,loss
a,a,ok,,100,1000,400,0,0.001,memory,70.0,1.5
b,b,ok,,200,2000,800,0,0.002,memory,75.0,1.2
c,c,ok,,150,3000,600,0,0.003,arithmetic,74.0,1.3
d,d,ok,,900,9000,3600,2,0.009,arithmetic,80.0,1.0
e,e,ok,,50,500,200,0,0.0005,launches,,
f,f,crashed,the process ended,,,,,,,,
"""

NO_RUN = "is a finished sweep, of which nothing is run"

HOLDS = [
    ("macs < 10M", True), ("macs <= 3e6", True), ("macs < 3_000_000", False), ("2M < macs < 4M", True),
    ("size == 5MB", True), ("size > 1GB", False), ("time < 5ms", True), ("time < 4 * 1ms", False),
    ("acc@1 > 75", True), ("`acc@1` > 76", False), ("acc@1 == 75.5 and not macs > 1G", True),
    ("bound == 'memory'", True), ('bound in ("arithmetic", "launches")', False),
    ("bound != 'memory' or macs > 1", True),
    ("macs / 1M - 1 == 2", True), ("-macs < 0", True), ("(macs + size) * 2 > 16M", True),
    ("zeros > 1", False), ("not zeros > 1", False), ("zeros > 1 or macs > 1", True), ("zeros + 1 == 1", False),
    ("zeros > 1 and macs > 1", False), ("1 / (macs - 3M) > 1", False),
    ("`acc 5` > 1", False), ("not `acc 5` > 1", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "holds"), HOLDS)
def test_an_expression_holds_of_a_row_or_not(text: str, holds: bool) -> None:
    assert where(text, KNOWN).holds(ROW) is holds


REFUSED = [
    ("mcas < 1G", "no column is called 'mcas'; did you mean macs?"),
    ("macs < 1Q", "1Q is no quantity; write it like 10M, 100MB or 5ms"),
    ("size < 10B", "10B may be billions or bytes; write 10G, or 10 for bytes"),
    ("macs <", "it cannot be read; write it like 'macs < 1G and params < 10M'"),
    ("macs ** macs", "it is not one of comparisons, and, or, not, in, + - * / and brackets"),
    ("macs(1)", "it is not one of"), ("[m for m in macs]", "no column is called 'm'"),
    ("macs if 1 else 2", "no column"),
    ("(lambda: 1)()", "no column is called 'lambda'"), ("macs.real > 1", "no column is called 'macs.real'"),
    ("macs[0]", "it is not one of"), ("1 < macs is 3", "no column is called 'is'"),
    ("f'{macs}'", "no column is called 'f'"),
    ("(" * 300 + "macs" + ")" * 300, "it cannot be read"),
    ("macs < 1" + " " * 3000, "it is longer than 2000 characters"),
    ("bound < 3", "it compares what cannot be compared"),
    ("bound > 'a' and macs < 'x'", "it compares what cannot be compared"),
    ("macs", "it has a value that is compared with nothing; write it like 'params > 10M'"),
    ("macs - 1", "compared with nothing"), ("not macs", "compared with nothing"), ("1", "compared with nothing"),
    ("time < 1 or (size > 3 and macs)", "compared with nothing"), ("", "it cannot be read"),
    ("macs / 0 > 1", "it divides by 0; divide by a column or by another number"),
    ("not (1 < macs / (2 - 2.0) < 3)", "it divides by 0"), ("macs in (1, size / 0)", "it divides by 0"),
    ("macs / ('a' - 1) > 1", "it compares what cannot be compared"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_is_no_expression_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        where(text, KNOWN).holds(ROW)
    assert str(caught.value).startswith("--where ")
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_is_run_as_code(text: str) -> None:
    with suppress(ProfileError):
        assert where(text, KNOWN).holds(ROW) in (True, False)


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "zoo.csv"
    path.write_text(TABLE)
    return str(path)


CHOSEN: list[tuple[dict[str, Any], str]] = [
    ({}, "abcdef"),
    ({"where": "macs < 2500 and acc@1 > 1"}, "ab"),
    ({"where": "status != 'ok'"}, "f"),
    ({"best": "acc@1"}, "dbca"),
    ({"best": "loss"}, "dbca"),
    ({"best": "loss:max"}, "acbd"),
    ({"best": "params"}, "eacbd"),
    ({"best": "acc@1", "top": 2}, "db"),
    ({"best": "acc@1", "max_macs": "3k"}, "bca"),
    ({"best": "acc@1", "max_macs": "10k"}, "bca"),  # operators of d have no formula
    ({"best": "acc@1", "max_macs": "10k", "max_unknown": "2"}, "dbca"),
    ({"best": "acc@1", "max_time": "2ms"}, "ba"),
    ({"max_size": "600B"}, "ace"),
    ({"max_params": 150, "sort": "macs"}, "cae"),
    ({"pareto": ["acc@1", "macs"]}, "abd"),
    ({"pareto": ["acc@1", "params"]}, "abcd"),
    ({"pareto": "acc@1, params"}, "abcd"),
    ({"pareto": ()}, "abcdef"),
    ({"pareto": ["acc@1", "macs"], "max_macs": "2k", "best": "acc@1"}, "ba"),
    ({"pareto": ["acc@1", "macs", "params"]}, "abcd"),
    ({"sort": "acc@1"}, "dbcaef"),
    ({"sort": "bound", "top": 3}, "cde"),
]


@pytest.mark.parametrize(("options", "models"), CHOSEN)
def test_rows_of_a_finished_sweep_are_chosen(table: str, options: dict[str, Any], models: str) -> None:
    assert [row["model"] for row in profiler.sweep(table, **options)] == list(models)


def test_nothing_within_a_budget_is_a_check_that_failed(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = shell.run(capsys, "sweep", table, "--best", "acc@1", "--max-macs", "10")
    assert (status, err) == (
        1,
        "profile-model: no model is within the budget by acc@1; raise a limit, or look with --sort\n",
    )


def test_the_answer_to_which_model_fits(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--best", "acc@1", "--max-macs", "3k", "--columns", "model,acc@1,macs"]
    status, out, err = shell.run(capsys, "sweep", table, *arguments)
    assert (status, err) == (0, "")
    assert out == (
        "Model  acc@1     MACs\n"
        "-----  -----  -------\n"
        "b      75.0*  2.000 k\n"
        "c      74.0   3.000 k\n"
        "a      70.0   1.000 k\n"
        "\n"
        "6 models: 5 ok, 1 crashed.\n"
        "Only models of at most 3 k MACs.\n"
        "The best by acc@1 first.\n"
    )


def test_a_finished_sweep_is_asked_alone_and_runs_nothing(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    for options, says in (
        (["resnet18"], f"{table} is a finished sweep, which is asked alone; name nothing besides"),
        (["--device", "h100-sxm"], f"{NO_RUN}; leave out --device, or name the models"),
        (["--jobs", "2"], f"{NO_RUN}; leave out --jobs, or name the models"),
        (["--input", "1x3", "--trust-remote-code", "--metrics", "published"],
         f"{NO_RUN}; leave out --input, --trust-remote-code, --metrics published, or name the models"),
        (["--jobs", "0"], "--jobs 0: not a whole number from 1"),
    ):  # fmt: skip
        status, out, err = shell.run(capsys, "sweep", table, *options)
        assert (status, out) == (2, "")
        assert says in err


def test_of_a_finished_sweep_python_names_what_was_given(table: str) -> None:
    for options, said in (
        ({"jobs": 0}, "jobs"),
        ({"inputs": (1, 3), "timeout": 4, "max_macs": 3, "resume": False}, "inputs, timeout"),
        ({"metrics": True, "device": "h100-sxm"}, "device, metrics=True"),
    ):
        with pytest.raises(ProfileError) as caught:
            profiler.sweep(table, **options)  # type: ignore[arg-type]
        assert str(caught.value) == f"{table} {NO_RUN}; leave out {said}, or name the models"


def test_columns_are_a_list_or_one_text(table: str) -> None:
    assert profiler.sweep(table, "model, macs").names == profiler.sweep(table, ["model", "macs"]).names
    assert profiler.sweep(Path(table), columns="model").names == ("model",)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", ", "])
def test_a_front_of_no_columns_is_refused(table: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    says = f"--pareto {text!r} names no column; name two or more, like acc@1,macs"
    status, out, err = shell.run(capsys, "sweep", table, "--pareto", text)
    assert (status, out, err) == (2, "", f"profile-model: {says}\n")
    with pytest.raises(ProfileError) as caught:
        profiler.sweep(table, pareto=text)
    assert str(caught.value) == says


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=12), st.tuples(*[st.sampled_from(("min", "max"))] * 3))
def test_the_front_is_of_the_points_that_none_dominates(points: list[tuple[int, ...]], best: tuple[Any, ...]) -> None:
    signs = [1 if direction == "min" else -1 for direction in best]

    def dominates(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        return a != b and all(sign * x <= sign * y for sign, x, y in zip(signs, a, b, strict=True))

    expected = {point for point in points if not any(dominates(other, point) for other in points)}
    assert pareto(points, best) == expected
