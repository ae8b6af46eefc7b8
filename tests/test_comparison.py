"""Several models in one table: labels, metrics, relative figures, lists of models, and rows that fail."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import Profile, ProfileError, compare, errors, profile
from profiler.answers.models import metrics
from profiler.answers.models.compute import Comparison
from profiler.answers.models.table import MODEL_COLUMNS, TIME_COLUMNS, model_table
from profiler.cli.progress import with_progress
from profiler.devices.roofline import Roofline
from profiler.records.trace import Tensor, Weight
from profiler.render import FORMATS, renderer
from profiler.render.tables import Column, Row, Table, Unit
from tests.devices.example import device
from tests.shell import rows, run

MODEL = """
from torch import nn

def net(width=8, bias=True):
    return nn.Sequential(nn.Conv2d(3, width, 3, bias=bias), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def broken():
    raise RuntimeError("out of | order & <sorry>")
"""
SHAPE = "1x3x10x10"
INPUT = ("--input", SHAPE)
NET, WIDE, BROKEN = "nets.py:net", "nets.py:net(width=24)", "nets.py:broken"
HOSTILE = (
    "a|b",
    "50%_#&$ {x}~^\\",
    "*[é→·×]*",
    "网络 Δ ß ł",
    "<b>'\"`</b>",
    "--x -- y",
    "two\nlines\tand\x07",
    "=1+1",
    "?",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


def params(width: int = 8) -> int:
    return (3 * 3 * 3 + 1) * width


def macs(width: int = 8) -> int:
    return 3 * 3 * 3 * width * 8 * 8


# Rows and columns -----------------------------------------------------------------------------------------------------


def test_columns_are_chosen_and_ordered_and_rows_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    argv = (NET, WIDE, *INPUT, "--columns", "macs,model,params,spec", "--label", "small", "--label", "wide")
    assert rows(capsys, *argv) == [
        {"macs": str(macs()), "model": "small", "params": str(params()), "spec": NET},
        {"macs": str(macs(24)), "model": "wide", "params": str(params(24)), "spec": WIDE},
    ]
    _, out, _ = run(capsys, *argv)
    assert out.split()[:4] == ["MACs", "Model", "Params", "Spec"]


def test_relative_to_the_first_row_or_to_another(capsys: pytest.CaptureFixture[str]) -> None:
    columns = ("--columns", "rel_params,rel_macs,rel_size")
    first = [list(map(float, row.values())) for row in rows(capsys, NET, WIDE, *INPUT, *columns)]
    assert first == [[1, 1, 1], [3, 3, 3]]
    for name in (WIDE, "wide"):
        argv = (NET, WIDE, *INPUT, *columns, "--label", "small", "--label", "wide", "--relative-to", name)
        assert [float(row["rel_macs"]) for row in rows(capsys, *argv)] == [macs() / macs(24), 1]


def test_relative_columns_show_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, NET, WIDE, *INPUT, "--relative-to", WIDE)
    assert "Rel. Params" in out.splitlines()[0]
    assert out.splitlines()[2].split()[2] == "×0.33"
    assert f"Rel.: times as much as {WIDE}." in out
    assert "Rel." not in run(capsys, NET, WIDE, *INPUT)[1]


def test_what_is_far_less_does_not_vanish() -> None:
    found = [profile(nn.Linear(1, 3, bias=False), (1, 1)), profile(nn.Linear(1000, 1000, bias=False), (1, 1000))]
    lines = str(compare(found, ["model", "rel_macs"], labels=["few", "many"], relative_to="many")).splitlines()
    assert lines[2].split() == ["few", "×0.0000030"]
    assert lines[3].split() == ["many", "×1.00"]


def test_nothing_is_no_measure(capsys: pytest.CaptureFixture[str]) -> None:
    """Relative to a model without parameters is not known, which is neither 0 nor infinite."""
    _, out, _ = run(capsys, "torch.nn:ReLU", NET, *INPUT, "--columns", "model,params,rel_params,macs,rel_macs,size")
    assert out.splitlines()[2].split() == ["torch.nn:ReLU", "0", "?", "0", "?", "0.00"]
    assert out.splitlines()[3].split() == [NET, str(params()), "?", "13.82", "k", "?", f"{4 * params() / 1024:.2f}"]


def test_huge_and_tiny_and_nothing_side_by_side() -> None:
    """A million inputs and outputs need no memory here; in a paper, all digits are shown where a prefix hides some."""
    huge, tiny = (f"torch.nn:Linear(in_features={n}, out_features={n}, bias=False)" for n in (10**6, 1))
    specs = (profile(huge, f"1x{10**6}"), profile(tiny, "1x1"), profile("torch.nn:ReLU", "1x1"))
    found = compare(specs, ["model", "params", "macs", "rel_macs", "size"], labels=["huge", "tiny", "none"])
    lines = [line.split() for line in str(found).splitlines()[2:5]]
    assert lines[0] == ["huge", f"{10**12:,}", "1.000", "T", "×1.00", f"{4 * 10**12 / 1024**3:,.2f}"]
    assert lines[1] == ["tiny", "1", "1", "×0.0000000000010", "<0.01"]
    assert lines[2] == ["none", "0", "0", "×0.00", "0.00"]
    assert r"huge & 1,000,000,000,000 & 1,000,000,000,000 & $\times$1.00" in found.to_latex()
    assert r"tiny & 1 & 1 & $\times$0.0000000000010 & \textless{}0.001 \\" in found.to_latex()


def test_the_same_model_twice(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, NET, NET, *INPUT, "--label", "a", "--label", "b")
    assert [row.pop("model") for row in found] == ["a", "b"]
    assert found[0] == found[1]


def test_inputs_that_differ_are_named() -> None:
    relu = nn.ReLU()
    alike = compare([profile(relu, (1, 2)), profile(relu, (1, 2))])
    differing = compare([profile(relu, (1, 2)), profile(relu, (3, 2))], labels=["a", "b"])
    assert "Input 1×2 float32." in model_table(alike).notes
    assert {"Input 1×2 float32: a.", "Input 3×2 float32: b."} <= set(model_table(differing).notes)


def test_json_is_a_list_of_whole_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text(f"model,f1,remark\n{NET},0.50,fine\n")
    argv = (NET, WIDE, "--metrics", "r.csv", "--label", "a", "--label", "b", "--format", "json", *INPUT)
    found = json.loads(run(capsys, *argv)[1])
    alone = json.loads(run(capsys, NET, *INPUT, "--format", "json")[1])
    assert found[0] == alone | {"label": "a", "metrics": {"f1": 0.5, "remark": "fine"}}
    assert (found[1]["model"], found[1]["label"], found[1]["metrics"]) == (WIDE, "b", {})


# The best -------------------------------------------------------------------------------------------------------------


def starred(out: str) -> list[list[bool]]:
    """Which cells of a text table end with a star."""
    lines = out.splitlines()
    return [[cell.endswith("*") for cell in line.split()] for line in lines[2 : lines.index("")]]


def measured(values: Mapping[str, Mapping[str, Any]], columns: list[str], bold: Any) -> str:
    model = profile(nn.ReLU(), (1, 2))
    found = compare([model] * len(values), ["model", *columns], labels=list(values), metrics=values, bold=bold)
    return str(found)


def test_fewer_is_better_and_more_accurate_is_better(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text(f"model,accuracy,val_loss\n{NET},0.9,0.3\n{WIDE},0.8,0.2\n")
    argv = (NET, WIDE, "--metrics", "r.csv", "--columns", "model,params,accuracy,val_loss", *INPUT, "--bold")
    _, out, _ = run(capsys, *argv, "all")
    assert starred(out) == [[False, True, True, False], [False, False, False, True]]
    assert "Marked is the best of a column: the least Params, val_loss; the most accuracy." in out
    _, out, _ = run(capsys, *argv, "val_loss:max")
    assert starred(out) == [[False, False, False, True], [False] * 4]
    assert "Marked is the best of a column: the most val_loss." in out


def test_ties_are_marked_alike_and_a_column_of_one_value_is_not() -> None:
    values = {"a": {"x": 1.0, "y": 2}, "b": {"x": 1.00, "y": 2}, "c": {"x": 0.5, "y": 2}, "d": {"x": "n/a"}}
    assert starred(measured(values, ["x", "y"], True)) == [[False, True, False]] * 2 + [[False] * 3] * 2


def test_a_star_follows_its_number_under_the_decimal_points() -> None:
    values = {"a": {"x": "8"}, "b": {"x": "91.4"}, "c": {"x": "89.078"}, "d": {"x": "n/a"}}
    lines = measured(values, ["x"], True).splitlines()
    assert lines[2:6] == [
        "a       8",
        "b      91.4*",
        "c      89.078",
        "d         n/a",
    ]


def test_each_format_marks_the_best() -> None:
    values = {"a": {"x": 1}, "b": {"x": 2}}
    found = compare([profile(nn.ReLU(), (1, 2))] * 2, ["model", "x"], labels=["a", "b"], metrics=values, bold=["x"])
    assert re.search(r"^\| b +\| +\*\*2\*\* \|$", found.to_markdown(), re.MULTILINE)
    assert r"b & \textbf{2} \\" in found.to_latex()
    assert "<b>2</b>" in found.to_html()
    assert found.to_csv() == "model,x\na,1\nb,2"


def test_no_best_is_claimed_where_operators_were_not_counted() -> None:
    """A figure that lacks something may only look the least."""
    known, partly = profile(nn.Linear(3, 4), (1, 3)), profile(nn.Linear(3, 2), (1, 3))
    signature = replace(partly.trace.signatures[0], op="mystery.op")
    partly = Profile(replace(partly.trace, signatures=(signature, *partly.trace.signatures[1:])))
    columns = ["model", "params", "macs", "rel_flops"]
    assert starred(str(compare([known, known.under("macs")], columns, bold=True))) == [[False] * 4] * 2
    assert starred(str(compare([known, partly], columns, labels=["a", "b"], bold=columns[1:]))) == [
        [False] * 4,
        [False, True, False, False],
    ]


# Metrics: as published ------------------------------------------------------------------------------------------------


def test_published_accuracies_are_torchvisions_own(capsys: pytest.CaptureFixture[str]) -> None:
    from torchvision.models import ResNet18_Weights, ResNet50_Weights

    specs = ("resnet50", 'resnet50(weights="IMAGENET1K_V1")', "torchvision:resnet18")
    weights = (ResNet50_Weights.DEFAULT, ResNet50_Weights.IMAGENET1K_V1, ResNet18_Weights.DEFAULT)
    _, out, _ = run(capsys, *specs, "--metrics", "published", "--columns", "model,acc@1,acc@5")
    published = [entry.meta["_metrics"]["ImageNet-1K"] for entry in weights]
    assert [line.split()[1:] for line in out.splitlines()[2:5]] == [
        [str(row["acc@1"]), str(row["acc@5"])] for row in published
    ]
    assert "acc@1, acc@5 on ImageNet-1K." in out
    assert "Weights: IMAGENET1K_V2 (resnet50); IMAGENET1K_V1 (" in out


_NOT_MEASURED = "by its arguments it is not the model that was measured"
UNPUBLISHED = {
    "timm:resnet18": "only torchvision publishes it with its models",
    NET: "only torchvision publishes it with its models",
    "resnet18(num_classes=10)": _NOT_MEASURED,
    "resnet18(replace_stride_with_dilation=[False,False,False])": _NOT_MEASURED,
    "googlenet": "the model that was measured has 6,624,904 parameters and not 13,004,888; "
    "googlenet(weights='IMAGENET1K_V1') is that model",
    "quantized_googlenet": "the model that was measured has 6,624,904 parameters and not 13,004,888; "
    "quantized_googlenet(weights='IMAGENET1K_FBGEMM_V1') is that model",
}


@pytest.mark.parametrize("spec", UNPUBLISHED)
def test_nothing_is_published_for_what_the_weights_are_not_for(capsys: pytest.CaptureFixture[str], spec: str) -> None:
    argv = ("--metrics", "published", "--columns", "model,acc@1", "--input", "1x3x224x224")
    _, out, _ = run(capsys, "resnet18", spec, *argv)
    assert out.splitlines()[2].split()[-1] == "69.758"
    assert out.splitlines()[3].split()[-1] == "?"
    assert f"No published accuracy for {spec}: {UNPUBLISHED[spec]}." in out


@pytest.mark.parametrize(
    ("spec", "accuracy"),
    [
        ('googlenet(weights="DEFAULT")', "69.778"), ("inception_v3", "77.294"), ("quantized_resnet18", "69.494"),
        ('quantized_googlenet(weights="DEFAULT")', "69.826"),
    ],
)  # fmt: skip
def test_what_has_the_parameters_that_were_measured_has_its_accuracy(spec: str, accuracy: str) -> None:
    model = profile(spec)
    assert metrics.published([model]).rows[model]["acc@1"] == Decimal(accuracy)


def test_nothing_is_published_for_another_image_size(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "resnet18", "--metrics", "published", "--input", "1x3x64x64")
    assert "acc@1" not in out
    assert "No published accuracy for resnet18: it was measured with images of 224×224." in out
    _, out, _ = run(capsys, "resnet18", "--metrics", "published", "--batch", "2")
    assert "69.758" in out


def test_a_model_with_two_inputs_has_its_accuracy_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.toml").write_text(
        "[[models]]\nmodel = 'resnet18'\n[[models]]\nmodel = 'resnet18'\ninput = '1x3x64x64'\n"
    )
    found = rows(capsys, "list.toml", "--metrics", "published", "--columns", "input,acc@1")
    assert [list(row.values()) for row in found] == [["1x3x224x224", "69.758"], ["1x3x64x64", ""]]


def test_a_metric_of_several_data_sets_has_their_names() -> None:
    from torchvision.models.optical_flow import Raft_Small_Weights

    made = profile(nn.ReLU(), (1, 3, 512, 512)).trace
    size = Raft_Small_Weights.DEFAULT.meta["num_params"]
    weight = Weight(0, "weight", Tensor((size,), "float32"), 0)
    raft = Profile(replace(made, model="raft_small", source="torchvision", parameters=(weight,)))
    found = metrics.published([raft])
    own = Raft_Small_Weights.DEFAULT.meta["_metrics"]
    assert found.rows[raft] == {
        "epe Sintel-Train-Cleanpass": Decimal(str(own["Sintel-Train-Cleanpass"]["epe"])),
        "epe Sintel-Train-Finalpass": Decimal(str(own["Sintel-Train-Finalpass"]["epe"])),
        "per_image_epe": Decimal(str(own["Kitti-Train"]["per_image_epe"])),
        "fl_all": Decimal(str(own["Kitti-Train"]["fl_all"])),
    }


def test_a_saved_model_is_looked_up_by_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "resnet18", "--save", "r.json")
    assert rows(capsys, "r.json", "--metrics", "published")[0]["acc@1"] == "69.758"


# Metrics: from a file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"model,acc,F1\n{NET},76.50,0.9\n",
        f"\ufeffMODEL;acc;F1\r\n{NET};76.50;0.9\r\n",
        f"acc\tModel\tF1\n76.50\t{NET}\t0.9\n\n",
        f",acc,F1\n{NET}, 76.50 ,0.9",
        f"name,acc,,F1\n{NET},76.50,ignored,0.9",
    ],
)
def test_metrics_are_joined_by_model(capsys: pytest.CaptureFixture[str], text: str) -> None:
    Path("r.csv").write_text(text, encoding="utf-8")
    found = rows(capsys, NET, WIDE, "--metrics", "r.csv", "--columns", "model,acc,F1", *INPUT)
    assert found == [{"model": NET, "acc": "76.50", "F1": "0.9"}, {"model": WIDE, "acc": "", "F1": ""}]


def test_missing_rows_and_cells_are_not_known_and_texts_stay_texts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text(f'model,acc,by\n{NET},76.5±0.2,"A, B"\nx,1,\n{WIDE},80\nnobody,1,me\n')
    _, out, _ = run(capsys, NET, WIDE, "torch.nn:ReLU", "--metrics", "r.csv", "--columns", "model,acc,by", *INPUT)
    assert [line.split() for line in out.splitlines()[2:5]] == [
        [NET, "76.5±0.2", "A,", "B"], [WIDE, "80", "?"], ["torch.nn:ReLU", "?", "?"],
    ]  # fmt: skip


def test_a_label_goes_before_a_spec(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text(f"model,acc\n{NET},1\nsecond,2\n")
    found = rows(capsys, NET, NET, "--metrics", "r.csv", "--label", "first", "--label", "second", *INPUT)
    assert [row["acc"] for row in found] == ["1", "2"]


def test_metrics_come_behind_chosen_columns_that_name_none(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text(f"model,b,a\n{NET},1,2\n")
    argv = (NET, "--metrics", "r.csv", *INPUT, "--columns")
    assert list(rows(capsys, *argv, "model")[0]) == ["model", "b", "a"]
    assert list(rows(capsys, *argv, "a,model")[0]) == ["a", "model"]


def test_a_later_source_is_preferred_where_it_says_something(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text("model,acc@1\nmine,99.0\n")
    argv = (
        "--columns",
        "model,acc@1",
        "--metrics",
        "published",
        "--metrics",
        "r.csv",
        "--label",
        "mine",
        "--label",
        "theirs",
    )
    assert [row["acc@1"] for row in rows(capsys, "resnet18", "resnet18", *argv)] == ["99.0", "69.758"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        ("model,acc\n", "it has no row under its header"),
        (f"model\n{NET}\n", "it has no column beside the models'"),
        (f"model,,\n{NET},1,2\n", "it has no column beside the models'"),
        (f"model,acc,acc\n{NET},1,2\n", "two of its columns are called 'acc'"),
        (f"model,acc\n{NET},1\n\n{NET},2\n", f"lines 2 and 4 are both for '{NET}'"),
        (f"model,acc\n{NET},1,2,3\n", "line 2 has 4 cells and the header 2"),
        (f'model,acc\n{NET},"1\n', "unexpected end of data"),
        (f"model,params\n{NET},1\n", "a metric is called 'params', as is a column of this table"),
        ("model,acc\na,1\nb,2\n", f"no row for any of the models: it has a, b, and they are {NET}; rename its rows"),
        (b"model,acc\n\xff\xfe,1\n", "can't decode byte 0xff"),
        (None, "No such file or directory"),
    ],
)  # fmt: skip
def test_a_bad_metrics_file_is_one_line(
    capsys: pytest.CaptureFixture[str], text: str | bytes | None, says: str
) -> None:
    if text is not None:
        Path("r.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(run(capsys, NET, "--metrics", "r.csv", *INPUT), says)


def refused(result: tuple[int, str, str], says: str) -> None:
    status, out, err = result
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


@given(st.text())
def test_a_metric_is_a_finite_number_or_a_text(text: str) -> None:
    found = metrics.metric(text)
    if isinstance(found, Decimal):
        json.loads(json.dumps(float(found), allow_nan=False))
        assert float(found) == float(text)
    else:
        assert (found or "") == text.strip()


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999", "1_000", "76%", "sNaN"])
def test_what_is_no_plain_number_stays_a_text(text: str) -> None:
    assert metrics.metric(text) == text


@pytest.mark.parametrize(
    ("name", "direction"),
    [("acc@1", "max"), ("F1", "max"), ("box_map", "max"), ("psnr", "max"), ("val_loss", "min"), ("top-1 error", "min"),
     ("Latency (ms)", "min"), ("epe", "min"), ("fl_all", "min"), ("lossless", "max")],
)  # fmt: skip
def test_which_metric_is_best_when_least(name: str, direction: str) -> None:
    assert metrics.better(name) == direction


# A list of models -----------------------------------------------------------------------------------------------------

LIST = f"""
caption = "Width & bias"
tex-label = "tab:width"
relative-to = "wide"
columns = ["model", "input", "rel_params", "accuracy", "by"]
bold = "accuracy"
input = "1x3x10x10"

[[models]]
model = "{NET}"
metrics = {{ accuracy = 76.50, by = "me" }}

[[models]]
model = "{WIDE}"
label = "wide"
input = ["2x3x12x12"]
metrics = {{ accuracy = 77 }}
"""


def test_a_list_of_models(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.toml").write_text(LIST)
    found = rows(capsys, "list.toml")
    expected = [
        {"model": NET, "input": "1x3x10x10", "rel_params": str(params() / params(24)), "accuracy": "76.50", "by": "me"},
        {"model": "wide", "input": "2x3x12x12", "rel_params": "1.0", "accuracy": "77", "by": ""},
    ]
    assert found == expected
    latex = run(capsys, "list.toml", "--format", "latex")[1]
    assert r"\caption{Width \& bias}\label{tab:width}" in latex
    assert r"\textbf{77}\phantom{.00}" in latex


def test_the_command_line_goes_before_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.toml").write_text(LIST)
    argv = ("--columns", "model,input,accuracy", "--input", SHAPE, "--label", "x", "--label", "y", "--caption", "Mine")
    _, out, _ = run(capsys, "list.toml", *argv, "--relative-to", NET)
    assert out.startswith("Mine\n")
    assert [line.split()[:2] for line in out.splitlines()[4:6]] == [["x", "1×3×10×10"], ["y", "1×3×10×10"]]


def test_a_list_stands_among_other_models(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.toml").write_text(f"[[models]]\nmodel = '{WIDE}'\n")
    Path("r.csv").write_text(f"model,acc\n{WIDE},1\n")
    found = rows(capsys, NET, "list.toml", "--columns", "model,acc", "--metrics", "r.csv", *INPUT)
    assert [list(row.values()) for row in found] == [[NET, ""], [WIDE, "1"]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "list.toml: it names no model"),
        ("models = []", "it names no model"),
        ("models = 3", "the key 'models' has to be tables"),
        ("title = 'x'\n[[models]]\nmodel = 'a'", "no key is called 'title'; there are caption,"),
        ("[[models]]\nmodel = 'a'\n\n\naccuracy = 1", "5: no key is called 'accuracy'; there are"),
        ("[[models]]\nlabel = 'a'", "list.toml:1: the key 'model' is missing; add one"),
        ("[[models]]\nmodel = 3", "list.toml:2: the key 'model' has to be a text, and is 3"),
        ("[[models]]\nmodel = 'a'\nmetrics = { x = true }", "3: the key 'metrics' has to be a table of numbers"),
        ("[[models]]\nmodel = 'a'\ninput = 3", ":3: the key 'input' has to be a text or a list of texts, and is 3"),
        ("[[models]]\nmodel = 'a'\nmetrics = { macs = 1 }", "a metric is called 'macs', as is a column"),
        ("[[models]]\nmodel = 'a'\ninput = '1,2'", "input '1,2' is not a shape"),
        ("columns = ['model', 'nope']\n[[models]]\nmodel = 'a'", "no column is called 'nope'"),
        ("relative-to = 'b'\n[[models]]\nmodel = 'a'", "--relative-to b: no row is called so; choose from a"),
        ("a = ", "list.toml: Invalid value"),
        (None, "list.toml cannot be read (No such file or directory); name a file that exists"),
        (b"\xff", "it is not UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_list_is_one_line(capsys: pytest.CaptureFixture[str], text: str | bytes | None, says: str) -> None:
    if text is not None:
        Path("list.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(run(capsys, "list.toml"), says)


# What goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((NET, WIDE, "--label", "a"), "--label is given 1 time for 2 models; give one a model"),
        ((NET, "--label", "a", "--label", "b"), "--label is given 2 times for 1 model;"),
        ((NET, WIDE, "--relative-to", "x"), f"--relative-to x: no row is called so; choose from {NET}, {WIDE}"),
        ((NET, WIDE, "--columns", "model,nope"), "no column is called 'nope'; choose from model, spec, params,"),
        ((NET, WIDE, "--bold", "nope"), "no column is called 'nope'; choose from model, params,"),
        ((NET, WIDE, "--bold", "input"), "column 'input' has no best by itself; write input:min or input:max"),
        ((NET, WIDE, "--tex-label", "a b"), "--tex-label 'a b': a LaTeX label is made of letters"),
        ((NET, "--metrics", "published", "--depth", "1"), "--depth shapes a table of layers, and --metrics asks"),
        ((NET, "--bold", "all", "--top", "1"), "--top shapes a table of layers, and --bold asks for one row a model"),
        ((NET, WIDE, "--metrics", "published", "--columns", "nope"), "no column is called 'nope'"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str) -> None:
    refused(run(capsys, *argv, *INPUT), says)


@pytest.mark.parametrize("format", FORMATS)
def test_a_model_that_fails_keeps_its_row_with_the_reason(capsys: pytest.CaptureFixture[str], format: str) -> None:
    argv = (NET, BROKEN, WIDE, "--relative-to", BROKEN, "--bold", "params", *INPUT)
    status, out, err = run(capsys, *argv, "--format", format)
    why = f"{BROKEN} cannot be built (RuntimeError: out of | order & <sorry>, at nets.py:8); check its arguments"
    assert (status, err) == (2, "" if format == "github" else f"profile-model: {why}\n")
    parts = {
        "text": [f"\n{BROKEN:{len(WIDE)}}  failed: {why}\n", f"{params():,}*", f"{params(24):,}"],
        "markdown": [f"\n| {BROKEN:{len(WIDE)}} | failed: {BROKEN} ", r"out of \| order &amp; \<sorry\>"],
        "csv": [f',"{why}"'],
        "json": [f'"error": "{why}"', '"totals": null'],
        "latex": [r"{l@{}}{failed, see below} \\", f"\n{BROKEN} failed: {BROKEN} ", r"out of \textbar{} order \& "],
        "html": [r"out of | order \u0026 \u003csorry\u003e"],
        "github": [f"\n| {BROKEN:{len(WIDE)}} | failed: {BROKEN} ", f"\n::error title=profile-model::{why}\n"],
    }  # fmt: skip
    for part in parts[format]:
        assert part in out
    assert out.count(BROKEN) >= 2


def test_a_failing_model_is_named_where_its_name_is_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, NET, BROKEN, *INPUT, "--columns", "params", "--label", "a", "--label", "b")
    assert out.splitlines()[3].split()[:4] == ["?", "failed:", "b:", BROKEN]
    _, out, _ = run(capsys, NET, BROKEN, *INPUT, "--columns", "model", "--format", "markdown")
    assert out.splitlines()[3].startswith(f"| {BROKEN} failed: ")


def test_where_all_fail_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, BROKEN, "nets.py:nothing", *INPUT)
    assert (status, out, err.count("\n")) == (2, "", 2)


# Names that break formats ---------------------------------------------------------------------------------------------


def hostile(**options: Any) -> Comparison:
    model = profile(nn.ReLU(), (1, 2))
    values = {label: {"a_b|%&": label} for label in HOSTILE}
    columns = ["model", "params", "a_b|%&"]
    return compare([model] * len(HOSTILE), columns, labels=HOSTILE, metrics=values, **options)


def test_raw_formats_keep_names_as_they_are() -> None:
    """But for CSV, where a line break is shown, and what a spreadsheet would compute is marked as text."""
    inert = {"two\nlines\tand\x07": r"two\nlines\tand\u0007", "=1+1": "'=1+1", "--x -- y": "'--x -- y"}
    cells = [row[0] for row in csv.reader(io.StringIO(hostile().to_csv(), newline=""))][1:]
    assert cells == [inert.get(name, name) for name in HOSTILE]
    assert [(e["label"], e["metrics"]["a_b|%&"]) for e in json.loads(hostile().to_json())] == [(n, n) for n in HOSTILE]


def test_markdown_has_as_many_cells_in_every_row() -> None:
    lines = hostile(caption="A | b").to_markdown().split("\n\n")[1].splitlines()
    assert len(lines) == 2 + len(HOSTILE)
    for line in lines:
        assert line.replace("\\\\", "").replace("\\|", "").count("|") == 3 + 1


def test_text_has_a_line_a_row_and_straight_columns() -> None:
    """A Chinese character is two places wide."""
    lines = str(hostile()).splitlines()
    assert lines[2 + len(HOSTILE)] == ""
    chinese = next(line for line in lines if line.startswith("网络"))
    plain = next(line for line in lines if line.startswith("a|b"))
    assert chinese.index("0") + len("网络") == plain.index("0")


def test_html_shows_the_names() -> None:
    found: list[str] = []

    class Cells(HTMLParser):
        def handle_data(self, data: str) -> None:
            found.append(data.rstrip(" "))  # behind a cell stand blanks that nobody sees

    Cells().feed(hostile().to_html())
    assert set(map(errors.shown, HOSTILE)) <= set(found)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_writes_any_table(format: str) -> None:
    columns = (Column("a", "A", Unit.TEXT, lambda s, _: s), Column("b", "B", Unit.AMOUNT, lambda s, _: s))
    table = Table(
        columns, (Row(("x", 5)), Row((None, None), 1)), (("F", 1234, Unit.EXACT, "r"),), ("A note.",), "C", "t:c"
    )
    out = renderer(format).write(table)
    assert "x" in out
    assert ("A note." in out) == (format != "csv")
    assert len(renderer(format).write(Table(columns, ()))) > 1  # no rows are no reason to fail


@pytest.mark.parametrize("name", MODEL_COLUMNS)
@pytest.mark.parametrize("format", [format for format in FORMATS if format != "json"])
def test_every_column_in_every_format(format: str, name: str) -> None:
    timer = Roofline(device()) if name in TIME_COLUMNS else None
    found = compare([profile(nn.Linear(3, 4), (1, 3))], ["model", name], labels=["x"], device=timer)
    assert renderer(format).answer(found).count("x") >= 1


# From Python ----------------------------------------------------------------------------------------------------------


def test_python_and_the_command_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text("model,acc\na,0.5\nb,0.25\n")
    argv = (
        NET, WIDE, "--columns", "model,params,rel_macs,acc", "--metrics", "r.csv", "--label", "a", "--label", "b",
        "--relative-to", "b", "--bold", "acc", "--caption", "C", "--tex-label", "tab:c", *INPUT,
    )  # fmt: skip
    found = compare(
        [profile(NET, SHAPE), profile(WIDE, SHAPE)],
        ["model", "params", "rel_macs", "acc"],
        labels=["a", "b"],
        metrics="r.csv",
        relative_to="b",
        bold=["acc"],
        caption="C",
        tex_label="tab:c",
    )
    shown = (
        str(found),
        found.to_markdown(),
        found.to_csv(),
        found.to_json(),
        found.to_latex(),
        found._repr_html_(),
        found.to_markdown(),
    )
    for format, text in zip(FORMATS, shown, strict=True):
        out = run(capsys, *argv, "--format", format)[1]
        assert format == "html" or text + "\n" == out  # the command's HTML is a page to look into
    assert (len(found), len(found.profiles), [entry.label for entry in found]) == (2, 2, ["a", "b"])


def test_metrics_from_python_may_be_given_in_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text("model,f1\nresnet18,0.7\n")
    sources = [True, Path("r.csv"), {"resnet18": {"mine": 1.5, "not known": None}}]
    found = compare(["resnet18"], ["model"], metrics=sources)
    assert dict(found.entries[0].metrics) == {
        "acc@1": Decimal("69.758"), "acc@5": Decimal("89.078"), "f1": Decimal("0.7"), "mine": Decimal("1.5"),
    }  # fmt: skip
    assert found.to_csv() == "model,acc@1,acc@5,f1,mine\nresnet18,69.758,89.078,0.7,1.5"


@pytest.mark.parametrize(
    "wrong",
    [{"labels": ["a"]}, {"columns": ["nope"]}, {"relative_to": "nope"}, {"bold": ["input"]}, {"metrics": "no.csv"},
     {"metrics": {"x": {"macs": 1}}}],
)  # fmt: skip
def test_python_refuses_at_once(wrong: dict[str, Any]) -> None:
    relu = profile(nn.ReLU(), (1, 2))
    with pytest.raises(ProfileError):
        compare([relu, relu], **wrong)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ProfileError, match="no model is given"):
        compare([])
    with pytest.raises(ProfileError, match="what is compared or shown is a profile or a spec, not ReLU"):
        compare([nn.ReLU()])  # type: ignore[list-item]


# A bar ----------------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, items, is_shown in ((Terminal(), 2, True), (io.StringIO(), 2, False), (Terminal(), 1, False)):
        monkeypatch.setattr(sys, "stderr", stream)
        names = ["first [red]", "second"][:items]
        assert list(with_progress(range(items), names)) == list(range(items))
        assert ("first [red]" in stream.getvalue()) == is_shown
