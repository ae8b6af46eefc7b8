"""`profile-model plot`: what a figure shows is what the profile says; and what is said where it cannot be drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import Profile, ProfileError, plot, profile
from profiler.answers.common.ordering import pareto
from profiler.answers.models.compute import Entry, Layout, comparison
from profiler.answers.models.metrics import from_mapping
from profiler.answers.plot.bars import bars
from profiler.answers.plot.depth import depth
from profiler.answers.plot.request import Request
from profiler.answers.plot.roofline import roofline
from profiler.answers.plot.scatter import scatter
from profiler.answers.plot.timeline import timeline
from profiler.devices.timing import timer
from profiler.figures import memory
from profiler.render.charts.data import OTHERS
from tests.charts.test_drawn import MOST, difference
from tests.shell import rows, run
from tests.test_docs import FENCE, ROOT, _commands

A100 = "a100-sxm-80gb"


@pytest.fixture(scope="module")
def resnet() -> Profile:
    return profile("resnet18")


@pytest.fixture(scope="module")
def step() -> Profile:
    return profile("resnet18", batch=2, train=True, optimizer="adamw")


@pytest.fixture(scope="module")
def saved(resnet: Profile, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("saved") / "resnet18.json.gz"
    resnet.save(path)
    return str(path)


# The values -----------------------------------------------------------------------------------------------------------


def entries(**profiles: Profile) -> tuple[Entry, ...]:
    return tuple(Entry(label, label, each) for label, each in profiles.items())


def small(width: int) -> Profile:
    return profile(nn.Sequential(nn.Linear(4, width), nn.ReLU()), (1, 4))


def test_a_scatter_has_the_totals_and_the_metrics() -> None:
    metrics = from_mapping({"a": {"acc": "50.0"}, "b": {"acc": 70}, "c": {"acc": 60}, "d": {"acc": "n/a"}})
    found = scatter(
        comparison(entries(a=small(1), b=small(2), c=small(3), d=small(4), e=small(5)), Layout(), [metrics]), Request()
    )
    assert [(dot.name, dot.x, dot.y) for dot in found.dots] == [("a", 4, 50), ("b", 8, 70), ("c", 12, 60)]
    assert [dot.name for dot in found.front] == ["a", "b"]
    assert found.left_out == ("d", "e")
    assert (found.x.heading, found.y.heading, found.x.is_log, found.best) == ("MACs", "acc", False, ("min", "max"))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1), st.sampled_from(["min", "max"]))
def test_no_point_is_better_than_one_on_the_front(points: list[tuple[int, int]], y_best: str) -> None:
    front = pareto(points, ("min", y_best))  # type: ignore[arg-type]
    sign = 1 if y_best == "min" else -1

    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one != other and one[0] <= other[0] and sign * one[1] <= sign * other[1]

    assert front == {point for point in points if not any(beats(other, point) for other in points)}


def test_bars_of_a_model_are_its_totals(resnet: Profile) -> None:
    found = bars(entries(resnet18=resnet), Request())
    totals = resnet.totals
    assert [bar.whole for bar in found.bars] == [totals.params, totals.macs, totals.activation_bytes]
    convolutions = sum(layer.own.params for layer in resnet.layers if layer.kind == "Conv2d")
    assert found.bars[0].parts[found.kinds.index("Conv2d")] == convolutions
    assert found.is_share
    assert found.kinds[-1] == OTHERS


def test_bars_of_several_models(resnet: Profile) -> None:
    found = bars(entries(one=resnet, two=small(3)), Request(y=("flops",)))
    assert [(bar.name, bar.whole) for bar in found.bars] == [("one", resnet.totals.flops), ("two", 2 * 4 * 3 + 3)]
    assert bars(entries(one=resnet.under("fvcore"), two=resnet.under("fvcore")), Request(y=("flops",))).axis.remark == (
        "fvcore"
    )


def test_depth_has_every_layer_once_in_the_order_of_the_run(resnet: Profile) -> None:
    found = depth(resnet, Request())
    totals = resnet.totals
    assert [sum(panel.values) for panel in found.panels] == [totals.params, totals.macs, totals.activation_bytes]
    assert len(set(found.layers)) == len(found.layers)
    downsample = found.layers.index("layer2.0.downsample.0")
    assert found.layers.index("layer2.0.bn2") < downsample < found.layers.index("layer2.1.conv1")
    assert [span.name for span in found.stages][:2] == ["conv1", "bn1"]
    assert [span.name for span in found.stages][-1] == "fc"


def test_a_part_that_is_nearly_all_is_shown_by_its_own_parts() -> None:
    net = nn.Sequential()
    net.add_module("stem", nn.Linear(4, 4))
    net.add_module("body", nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)) for _ in range(3))))
    found = depth(profile(net, (1, 4)), Request())
    assert [(span.name, span.last - span.first) for span in found.stages] == [
        ("stem", 1), ("body.0", 2), ("body.1", 2), ("body.2", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["resnet", "step"])
def test_a_timeline_is_the_profiles_memory(name: str, request: pytest.FixtureRequest) -> None:
    found_profile: Profile = request.getfixturevalue(name)
    found = timeline(found_profile)
    live = memory.live_bytes(found_profile.trace)
    moving = [band for band in found.bands if band.role not in ("parameters", "inputs", "optimizer state")]
    assert [sum(values) for values in zip(*(band.values for band in moving), strict=True)] == list(live)
    assert found.peak_bytes == found_profile.totals.peak_memory_bytes
    assert [span.name for span in found.phases] == ([] if name == "resnet" else ["forward", "backward", "update"])


def test_a_roofline_is_that_of_time(resnet: Profile) -> None:
    on = resnet.on(A100)
    found = roofline(entries(resnet18=on))
    assert on.times is not None
    assert 0 < sum(load.seconds for load in found.loads) <= on.times.whole.seconds
    for load in found.loads:
        bound = min(found.roof.highest, found.roof.bytes_per_second * load.intensity)
        assert load.flops_per_second <= bound * 1.001, load
    assert found.roof.name == "lower bound on NVIDIA A100 SXM4 80 GB"
    whole = roofline(entries(one=on, two=profile("mobilenet_v2").on(timer(A100))))
    assert [load.name for load in whole.loads] == ["one", "two"]
    assert whole.loads[0].flops_per_second == pytest.approx(
        whole.loads[0].intensity * 0 + on.totals.flops / on.times.whole.seconds, rel=0.02
    )


# The command ----------------------------------------------------------------------------------------------------------


def test_without_a_file_it_is_a_table(capsys: pytest.CaptureFixture[str], resnet: Profile, saved: str) -> None:
    table = rows(capsys, "plot", saved, saved, "--label", "a", "--label", "b", "--x", "params", "--y", "macs")
    assert [(row["model"], row["params"], row["macs"]) for row in table] == [
        (label, str(resnet.totals.params), str(resnet.totals.macs)) for label in "ab"
    ]


def test_csv_of_bars_has_numbers(capsys: pytest.CaptureFixture[str], resnet: Profile, saved: str) -> None:
    table = rows(capsys, "plot", saved)
    assert sum(int(row["amount"]) for row in table if row["bar"] == "Parameters") == resnet.totals.params
    assert {(row["bar"], row["unit"]) for row in table} == {("Parameters", ""), ("MACs", ""), ("Activations", "bytes")}


def test_metrics_keep_their_digits(capsys: pytest.CaptureFixture[str], tmp_path: Path, saved: str) -> None:
    (tmp_path / "m.csv").write_text(f"model,acc\n{saved},70.10\n")
    (row,) = rows(capsys, "plot", saved, "--kind", "scatter", "--metrics", str(tmp_path / "m.csv"))
    assert row["acc"] == "70.10"


def test_a_scan_has_the_exact_polynomial(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(
        capsys, "plot", "resnet18", "--scan", "size=64,128", "--y", "macs,memory", "--format", "json"
    )
    assert (status, err) == (0, "")
    data = json.loads(out)
    assert [row["size"] for row in data["rows"]] == [64, 128]
    assert data["notes"][0] == f"resnet18: MACs = {(1_814_073_344 - 512_000) // 224**2:,}·size² + 512,000."


def test_every_table_of_a_figure_in_every_format(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    for kind in ("kinds", "depth", "memory", "roofline"):
        device = ("--device", A100) * (kind == "roofline")
        for format in ("text", "markdown", "csv", "json", "latex", "html", "github"):
            status, out, err = run(capsys, "plot", saved, "--kind", kind, *device, "--format", format)
            assert (status, err) == (0, ""), (kind, format, err)
            assert out


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], saved: str, suffix: str, start: bytes) -> None:
    path = tmp_path / f"figure.{suffix}"
    path.write_text("before")
    assert run(capsys, "plot", saved, "-o", str(path)) == (0, "", "")
    assert path.read_bytes().startswith(start)
    assert [other.name for other in tmp_path.iterdir()] == [path.name]


def test_a_figure_on_standard_output(capfdbinary: pytest.CaptureFixture[bytes], saved: str) -> None:
    from profiler.cli.main import main

    assert main(["plot", saved, "--format", "png", "-o", "/dev/stdout"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")


REFUSED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "no file": (("--format", "pdf"), "pdf is no text that a terminal shows; say where it goes, --output FILE.pdf"),
    "a suffix": (("-o", "figure.jpeg"), "figure.jpeg: its suffix stands for no format; add --format, one of text,"),
    "a folder": (("-o", "no/such/figure.pdf"), "cannot be written"),
    "a kind": (("--kind", "pie"), "--kind pie is not known; known are scatter, kinds,"),
    "an axis": (("--kind", "scatter", "--x", "mac"), "no column is called 'mac'; "),
    "a text for an axis": (("--kind", "scatter", "--x", "model"), "model is no number, and an axis has numbers"),
    "a time without a device": (("--kind", "scatter", "--x", "time"), "--x time means something with --device alone"),
    "a figure of layers": (("--y", "peak"), "--y peak is not known; known are params,"),
    "a layer's time without a device": (("--y", "time"), "--y time means something with --device alone"),
    "a roof without a device": (("--kind", "roofline"), "--kind roofline means something with --device alone"),
    "a device": (("--device", "a100x"), "a100x"),
    "x without a scatter": (("--kind", "depth", "--x", "macs"), "--x means something with --kind scatter alone"),
    "y of a timeline": (("--kind", "memory", "--y", "macs"), "--kind memory has its axes already"),
    "a scan without values": (("--kind", "scan"), "--kind scan means something with --scan alone"),
    "a scan of no numbers": (("--scan", "norm='a','b'"), "was recorded already"),
    "a scan and another kind": (("--kind", "depth", "--scan", "batch=1,2"), "--scan means something with --kind scan"),
    "an axis of a scan": (("--scan", "batch=1,2", "--y", "input"), "--y input is no number"),
    "a logarithm": (("--log", "z"), "--log z is not known; known are x, y, none"),
    "a logarithm of nothing": (("--kind", "depth", "--log", "y"), "--log y: a value there is 0"),
    "a width": (("--width", "wide"), "--width wide: a width is one (3.5 inches), two (7.16), or inches"),
    "a style": (("--style", "none.mplstyle"), "none.mplstyle is not a file"),
    "metrics": (("--metrics", "none.csv"), "none.csv"),
    "labels": (("--label", "a", "--label", "b"), "--label is given 2 times for 1 model"),
    "measured scans": (("--scan", "batch=1,2", "--device", "cpu"), "--device cpu is this machine"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_drawn_is_one_line(
    what: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options, says = REFUSED[what]
    model = "resnet18" if what in ("an axis of a scan", "measured scans") else saved
    status, out, err = run(capsys, "plot", model, *options)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_metrics_that_no_model_has(capsys: pytest.CaptureFixture[str], tmp_path: Path, saved: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"model,acc,other\n{saved},n/a,\n")
    line = ("plot", saved, "--kind", "scatter", "--metrics", str(path))
    assert "no model has both macs and acc" in run(capsys, *line)[2]
    assert "no column is called 'f1'" in run(capsys, *line, "--y", "f1")[2]
    path.write_text("model,acc\nanother,1\n")
    assert str(path) in run(capsys, *line)[2]


def test_one_model_kinds_take_one_model(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    assert "--kind depth is about one model, and 2 are given" in run(capsys, "plot", saved, saved, "--kind", "depth")[2]
    two = ("plot", saved, saved, "--kind", "kinds", "--y", "macs,params")
    assert "bars of several models show one figure" in run(capsys, *two)[2]


def test_other_verbs_write_no_figures(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    assert "no format is called 'pdf'; choose one of text," in run(capsys, saved, "--format", "pdf")[2]
    assert "its suffix stands for no format" in run(capsys, saved, "-o", "x.pdf")[2]


def test_without_matplotlib(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, saved: str
) -> None:
    """A line before anything runs; the table needs none."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    status, out, err = run(capsys, "plot", "no_such_model", "-o", str(tmp_path / "figure.pdf"))
    assert (status, out) == (2, "")
    assert err.startswith("profile-model: matplotlib ")
    assert err.endswith("; pip install matplotlib\n")
    assert run(capsys, "plot", saved)[0] == 0


def test_one_that_fails_leaves_the_others(capsys: pytest.CaptureFixture[str], tmp_path: Path, saved: str) -> None:
    path = tmp_path / "figure.png"
    status, _, err = run(capsys, "plot", saved, "no_such_model", "-o", str(path))
    assert status == 2
    assert "no model is called 'no_such_model'" in err
    assert path.exists()


# Python ---------------------------------------------------------------------------------------------------------------


def test_python_gives_a_figure_of_matplotlib(tmp_path: Path, resnet: Profile) -> None:
    from matplotlib.figure import Figure

    figure = plot(resnet, output=tmp_path / "figure.pdf")
    assert isinstance(figure, Figure)
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert isinstance(resnet.plot("depth", width="two"), Figure)
    measured = plot(nn.Linear(8, 8), "roofline", device="cpu", inputs=(4, 8))
    assert "measured on" in measured.axes[0].get_title(loc="left")
    scanned = plot([nn.Linear(8, 8), nn.Linear(8, 16)], scan="batch=1,2", labels=["a", "b"], inputs=(4, 8))
    legend = scanned.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a: 64·batch", "b: 128·batch"]
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_python_refuses_what_the_command_refuses(resnet: Profile, tmp_path: Path) -> None:
    for options, says in (
        ({"kind": "pie"}, "pie is not known"),
        ({"output": tmp_path / "figure.doc"}, "its suffix stands for no format"),
        ({"labels": ["a", "b"]}, "--label is given 2 times for 1 model"),
        ({"scan": "batch"}, "scan batch: has no name"),
        ({"bach": 2}, "'bach' is nothing"),
    ):
        with pytest.raises(ProfileError, match=says):
            plot(resnet, **options)  # type: ignore[arg-type]


# Documents ------------------------------------------------------------------------------------------------------------


def test_images_of_the_documents_are_what_their_commands_write(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    import shlex

    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    lines = [command for match in FENCE.finditer(text) for command in _commands(match["text"]) if " -o " in command]
    assert len(lines) == 6
    for line in lines:
        assert run(capsys, *shlex.split(line)[1:]) == (0, "", "")
    for path in tmp_path.iterdir():
        kept = ROOT / "docs" / "images" / path.name
        if request.config.getoption("--refresh"):
            kept.write_bytes(path.read_bytes())
        assert f"images/{path.name}" in text
        assert difference(path.read_bytes(), kept.read_bytes()) < MOST
