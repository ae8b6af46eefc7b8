"""What a report's page is made of: its data are the figures of the profile, and its policy lets nothing else act."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import profiler
from profiler import Profile, ProfileError, profile
from profiler.answers.report.compute import reported
from profiler.counters import conventions
from profiler.figures import memory
from profiler.render.report import page
from profiler.render.report.data import value_data
from profiler.render.tables import Unit
from tests.browser import number_texts
from tests.shell import run
from tests.test_imports import COMMAND, loaded

DATA = re.compile(r'<script type="([^"]*)" id="report-data"( data-encoding="gzip")?>(.*?)</script>', re.DOTALL)


def data_of(html: str) -> Any:
    """What a browser reads of a page."""
    ((_, is_packed, text),) = DATA.findall(html)
    return json.loads(gzip.decompress(base64.b64decode(text)) if is_packed else text)


def page_of(answer: Any) -> Any:
    return reported(answer).page()


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 10))


@pytest.fixture(scope="module")
def small() -> Profile:
    return profile(net(), (1, 3, 8, 8))


@pytest.fixture(scope="module", params=["net", "resnet18", "step", "device"])
def subject(request: pytest.FixtureRequest) -> Profile:
    kinds: dict[str, Any] = {
        "net": lambda: profile(net(), (2, 3, 8, 8)),
        "resnet18": lambda: profile("resnet18"),
        "step": lambda: profile(net(), (2, 3, 8, 8), train=True, optimizer="adamw"),
        "device": lambda: profile("mobilenet_v3_small", device="h100-sxm"),
    }
    made: Profile = kinds[request.param]()
    return made


# Figures --------------------------------------------------------------------------------------------------------------


def test_a_layers_own_measures_add_up_to_the_totals(subject: Profile) -> None:
    (model,) = page_of(subject)["models"]
    sums = {measure["name"]: sum(measure["own"]) for measure in model["measures"]}
    totals, cost = subject.totals, subject.figures.cost
    assert sums["params"] == totals.params
    assert sums["macs"] == totals.macs
    assert sums["flops"] == totals.flops
    assert sums["size"] == totals.param_bytes
    assert sums["activations"] == totals.activation_bytes
    assert sums["moved"] == (cost.bytes_read or 0) + (cost.bytes_written or 0)
    assert ("time" in sums) == (subject.times is not None)


def test_columns_are_those_of_the_command_line(subject: Profile) -> None:
    (model,) = page_of(subject)["models"]
    columns = {column["name"]: column for column in model["layers"]["columns"]}
    assert columns["params"]["values"] == [layer.params for layer in subject.layers]
    assert columns["macs"]["values"] == [layer.macs for layer in subject.layers]
    assert columns["flops"]["values"] == [layer.flops for layer in subject.layers]
    assert model["shown"][0] == "layer"
    assert set(model["shown"]) <= set(columns)
    assert model["layers"]["depth"] == [layer.depth for layer in subject.layers]
    assert all(len(column["values"]) == len(subject.layers) for column in columns.values())


def test_a_parent_is_the_layer_that_a_path_begins_with(subject: Profile) -> None:
    (model,) = page_of(subject)["models"]
    paths = model["paths"]
    assert [paths[parent] for parent in model["parents"][1:]] == [path.rpartition(".")[0] for path in paths[1:]]


def test_each_convention_counts_what_a_profile_under_it_does(subject: Profile) -> None:
    (model,) = page_of(subject)["models"]
    assert model["conventions"]
    for convention in model["conventions"]:
        name, whole = convention["name"], convention["total"][0]
        assert whole == subject.under(name).layers[0].total_flops, name
    if not subject.trace.phases:
        assert [c["name"] for c in model["conventions"]] == list(conventions.applicable(subject.trace))


def test_what_is_alive_adds_up_at_every_call(subject: Profile) -> None:
    (model,) = page_of(subject)["models"]
    alive = model["memory"]
    assert alive["live"] == list(memory.live_bytes(subject.trace))
    for call, live in enumerate(alive["live"]):
        pieces = [s for s in alive["storages"] if s[2] <= call and (s[3] is None or call < s[3])]
        assert sum(size for size, *_ in pieces) == live
    assert max(alive["live"]) == alive["live"][alive["peak"]]


def test_a_layers_formulas_are_those_that_explain_prints(small: Profile) -> None:
    (model,) = page_of(small)["models"]
    formulas = model["details"][model["detail"][model["paths"].index("0")]]["formulas"]
    assert formulas[:2] == [
        "parameters  kh·kw·Cin/g·Cout + Cout = 3·3·3·8 + 8 = 224",
        f"MACs  N·Cout·Hout·Wout·Cin/g·kh·kw = 1·8·6·6·3·3·3 = {8 * 6 * 6 * 3 * 3 * 3:,}  [aten.conv2d]",
    ]
    for formula in formulas:
        name, _, words = formula.partition("  ")
        assert f"{name:11} {words}" in small.explain("0")


def test_layers_that_are_alike_share_their_details() -> None:
    (model,) = page_of(profile(nn.Sequential(*[nn.Linear(4, 4) for _ in range(50)]), (1, 4)))["models"]
    assert len(model["details"]) == 2
    assert model["detail"] == [0, *[1] * 50]


def test_the_cards_have_the_totals_and_their_formulas(small: Profile) -> None:
    (model,) = page_of(small)["models"]
    cards = {total["name"]: total for total in model["totals"]}
    linear, conv, norm = 288 * 10 + 10, 3 * 3 * 3 * 8 + 8, 2 * 8
    assert cards["params"]["value"] == linear + conv + norm
    assert cards["params"]["formula"] == f"Linear {linear:,} + Conv2d {conv} + BatchNorm2d {norm}"
    assert cards["param_bytes"]["formula"] == f"3,130 float32·4 bytes = {3130 * 4:,} bytes"
    assert cards["peak_memory_bytes"]["value"] == small.totals.peak_memory_bytes
    parts = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", cards["peak_memory_bytes"]["formula"])]
    assert sum(parts) == small.totals.peak_memory_bytes
    assert cards["flops"]["formula"].startswith(f"2·{small.totals.macs:,} + ")
    terms = [
        int(number.replace(",", "")) for number in re.findall(r"(?<!·)\b[\d,]+(?= [a-z])", cards["flops"]["formula"])
    ]
    assert 2 * (small.totals.macs or 0) + sum(terms) == small.totals.flops


def test_a_roofline_stands_where_a_device_is_named(subject: Profile) -> None:
    (model,) = page_of(subject)["models"]
    assert (model["roofline"] is None) == (subject.times is None)
    if subject.times is not None:
        over = model["roofline"]
        assert over["word"] == "lower bound"
        assert [dtype for dtype, _ in over["peaks"]] == ["tf32", "float32"]
        fastest = max(peak for _, peak in over["peaks"])
        for row, intensity, rate, seconds in over["points"]:
            assert seconds == subject.times.total[row].seconds
            assert rate <= min(fastest, intensity * over["bytes_per_second"]) * (1 + 1e-9)


def test_the_applications_numbers_are_held_to_what_is_written_here() -> None:
    """`web/test` compares its own with this file."""
    assert number_texts.TEXTS.read_text(encoding="utf-8") == number_texts.written()


def test_a_checkpoint_and_a_model_that_did_not_run(tmp_path: Path) -> None:
    (model,) = page_of(profile(net()))["models"]
    assert (model["memory"], model["coverage"], model["conventions"]) == (None, None, [])
    assert [measure["name"] for measure in model["measures"]] == ["params", "size"]


# Several models, and changes ------------------------------------------------------------------------------------------


def test_a_comparison_has_a_row_and_a_page_a_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def build():\n    raise ValueError('no')\n")
    path = tmp_path / "r.html"
    status, _, _ = run(capsys, "report", "resnet18", f"{bad}:build", "alexnet", "-o", str(path))
    report = data_of(path.read_text())
    assert status == 2
    assert report["kind"] == "comparison"
    assert report["comparison"]["models"] == [0, None, 1]
    assert list(report["comparison"]["table"]["failures"]) == ["1"]
    assert [model["label"] for model in report["models"]] == ["resnet18", "alexnet"]


def test_a_diff_has_both_models_and_each_change(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "d.html"
    assert run(capsys, "diff", "resnet18", "resnet18(num_classes=10)", "-o", str(path))[0] == 0
    report = data_of(path.read_text())
    ((change),) = report["diff"]["changes"]
    before, after = report["models"]
    assert before["paths"][change["before"]] == after["paths"][change["after"]] == "fc"
    assert change["what"] == "Linear 512→1000 became Linear 512→10"


@pytest.mark.parametrize(
    "argv",
    [("alexnet",), ("train", "alexnet"), ("memory", "alexnet"), ("time", "alexnet", "--device", "h100-sxm")],
    ids=" ".join,
)
def test_each_answer_about_a_model_is_a_page_in_html(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, argv: tuple[str, ...]
) -> None:
    path = tmp_path / "x.html"
    assert run(capsys, *argv, "-o", str(path)) == (0, "", "")
    assert data_of(path.read_text())["models"][0]["model"] == "alexnet"


def test_reports_in_python(tmp_path: Path, small: Profile) -> None:
    small.report(tmp_path / "one.html", title="Mine")
    profiler.report([small, "alexnet"], tmp_path / "two.html")
    profiler.report(profiler.diff(small, small), tmp_path / "diff.html")
    kinds = [data_of((tmp_path / f"{name}.html").read_text())["kind"] for name in ("one", "two", "diff")]
    assert kinds == ["model", "comparison", "diff"]
    assert "<title>Mine</title>" in (tmp_path / "one.html").read_text()


def test_of_a_training_step_that_runs_layers_again(capsys: pytest.CaptureFixture[str]) -> None:
    step = profile("resnet18", train=True, recompute=["layer1.*"])
    assert step.training is not None
    assert step.training.recompute_macs > 0
    (model,) = page_of(step)["models"]
    (card,) = (total for total in model["totals"] if total["name"] == "backward_macs")
    forward, again = step.training.forward_macs, step.training.recompute_macs
    assert card["remark"] == f"besides: forward {forward:,}, run again {again:,}"
    assert forward + card["value"] + again == step.totals.macs


def test_some_layers_are_a_table_and_chosen_columns_are_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.html"
    for options in (("--depth", "1"), ("--filter", "Conv2d"), ("--top", "2"), ("--sort", "params")):
        assert run(capsys, "alexnet", *options, "-o", str(path))[0] == 0
        assert "report-data" not in path.read_text()
    assert run(capsys, "alexnet", "--columns", "layer,params", "-o", str(path))[0] == 0
    assert data_of(path.read_text())["models"][0]["shown"] == ["layer", "params"]


@pytest.mark.parametrize("path", ["", None, 3, "x.txt", "x"])
def test_a_report_in_python_is_named_as_a_page(small: Profile, path: Any) -> None:
    with pytest.raises(ProfileError, match=r"call it FILE\.html"):
        small.report(path)


@pytest.mark.parametrize("subject", [nn.Linear(2, 2), 5, None, [nn.Linear(2, 2)], []])
def test_what_python_makes_no_report_of(subject: Any, tmp_path: Path) -> None:
    with pytest.raises(ProfileError):
        profiler.report(subject, tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


# The file -------------------------------------------------------------------------------------------------------------


def test_the_policy_knows_the_script_and_the_style_of_the_file_alone(small: Profile) -> None:
    html = page(page_of(small))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; ")
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f" {kind} 'sha256-{digest}';" in policy
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    assert re.findall(r"\b(?:src|href|action)=", markup) == []


def test_a_name_ends_no_element(small: Profile) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\u2028\u202e"
    module = nn.Sequential()
    module.add_module(hostile.replace(".", ""), nn.Linear(2, 2))
    html = page(page_of(profiler.compare([profile(module, (1, 2))], labels=[hostile])))
    assert html.count("</script>") == 2
    assert "<img" not in html
    assert hostile.split("<")[1][:7] == "/script"
    assert data_of(html)["models"][0]["paths"][1].startswith("</script><script>alert(1)")


def test_large_data_are_compressed_and_are_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    deep = profile(nn.Sequential(*[nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(1500)]), (1, 2))
    made = page_of(deep)
    html = page(made)
    assert 'data-encoding="gzip"' in html
    assert data_of(html) == json.loads(json.dumps(made))
    assert page(page_of(deep)) == html


def test_a_saved_trace_becomes_a_report_without_torch(tmp_path: Path, small: Profile) -> None:
    small.save(tmp_path / "saved.json")
    argv = ("report", str(tmp_path / "saved.json"), "-o", str(tmp_path / "r.html"))
    assert loaded(COMMAND, *argv) == set()
    assert data_of((tmp_path / "r.html").read_text()) == json.loads(json.dumps(page_of(small)))


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2**53 - 1, Unit.EXACT, 2**53 - 1),
        (2**53, Unit.EXACT, str(2**53)),
        (-(2**53), Unit.DIFFERENCE, str(-(2**53))),
        (None, Unit.AMOUNT, None),
        (0.25, Unit.SHARE, 0.25),
    ],
)
def test_whole_numbers_that_javascript_would_round_are_texts(value: Any, unit: Unit, expected: Any) -> None:
    assert value_data(value, unit) == expected


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("report", "resnet18", "-o", "r.txt"), "report is written as html, not as text"),
        (("report", "resnet18", "--format", "csv"), "report is written as html, not as csv"),
        (("report", "resnet81", "-o", "r.html"), "did you mean resnet18"),
        (("report", "resnet18", "-o", "no/such/r.html"), "no/such/r.html"),
        (("report",), "no model is given"),
    ],
)
def test_what_no_report_is_made_of(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], sentence: str) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert sentence.lower() in err.lower()
