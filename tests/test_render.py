"""Whole outputs in every format, against files in `tests/snapshots/`, which `--refresh` writes."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from wcwidth import wcswidth

from profiler import Profile, ProfileError, compare, diff, profile
from profiler.answers.layers.compute import Layers, View
from profiler.answers.layers.table import LAYER_COLUMNS, STEP_COLUMNS, TIME_COLUMNS, ZERO_COLUMNS, layer_table
from profiler.devices.roofline import Roofline
from profiler.render import FORMATS, grid, numbers, renderer
from profiler.render.formats import markdown, text
from profiler.render.tables import Column, Row, Table, Unit
from tests.devices.example import device

SNAPSHOTS = Path(__file__).parent / "snapshots"


@torch.library.custom_op("render_test::odd_op", mutates_args=())
def odd_op(x: torch.Tensor) -> torch.Tensor:
    return x.clone()


@odd_op.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


class Odd(nn.Module):
    """Everything a table may have to show: a shared layer, an uncalled one, an unknown operator, awkward names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.blocks_a_b = nn.ModuleList([nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=8)])
        self.again = self.blocks_a_b[0]
        self.unused = nn.Linear(3, 5)
        self.head = nn.Linear(8, 10)
        self.head.bias.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block in self.blocks_a_b:
            x = block(x)
        return self.head(odd_op(self.again(x)).mean((2, 3)))


def other() -> Odd:
    """One layer renamed, one changed, one added, one removed."""
    model = Odd()
    model._modules["stem"] = nn.Sequential(*model.stem, nn.Conv2d(8, 8, 1))
    model._modules = {"spare": nn.Linear(3, 5), **model._modules, "head": nn.Linear(8, 20)}
    del model._modules["unused"]
    model._modules["stem"][0].register_buffer("scale", torch.ones(3))
    return model


@pytest.fixture(scope="module")
def odd() -> Profile:
    return profile(Odd(), (2, 3, 17, 17))


@pytest.fixture(scope="module")
def trained() -> Profile:
    """A step of the same stem."""
    return profile(nn.Sequential(OrderedDict(stem=Odd().stem)), (2, 3, 17, 17), train=True)


@pytest.fixture(scope="module")
def weighed() -> Profile:
    """The same, with its zeros counted."""
    return profile(Odd(), (2, 3, 17, 17), zeros=True)


def _comparable(output: str) -> str:
    """Without the versions, which are not ours to keep."""
    output = re.sub(r"(Versions: ).*?(?=$|</p>)", r"\1...", output, flags=re.MULTILINE)
    return re.sub(r'("versions": \{)[^}]*', r"\1", output)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("what", ["layers", "models", "diff"])
def test_snapshot(odd: Profile, format: str, what: str, request: pytest.FixtureRequest) -> None:
    dress = renderer(format)
    small = profile(nn.Linear(3, 4), (1, 3), convention="macs")
    written = {
        "layers": lambda: dress.answer(odd),
        "models": lambda: dress.answer(compare([odd, small])),
        "diff": lambda: dress.answer(diff(odd, profile(other(), (2, 3, 17, 17)))),
    }
    output = _comparable(written[what]()) + "\n"
    path = SNAPSHOTS / f"{what}{(dress.SUFFIXES or markdown.SUFFIXES)[0]}"  # GitHub shows Markdown
    if request.config.getoption("--refresh"):
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(output)
    assert output == path.read_text()


def _widths(width: int) -> Iterator[int]:
    yield from map(len, text.write(layer_table(profile("resnet34"), View(depth=3)), width).splitlines())


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_text_fits_the_screen(width: int) -> None:
    assert max(_widths(width)) <= width


def test_a_wider_screen_shows_more() -> None:
    headings = [text.write(layer_table(profile("resnet34")), width).splitlines()[0] for width in (50, 80, 120)]
    shown = [set(re.split(r"\s{2,}", heading.strip())) for heading in headings]
    assert shown[0] < shown[1] < shown[2]


@pytest.mark.parametrize("spec", ["resnet34", "vit_b_16"])
def test_eighty_columns_show_the_output_and_say_what_they_do_not(spec: str) -> None:
    lines = text.write(layer_table(profile(spec), View(depth=4)), 80).splitlines()
    assert re.split(r"\s{2,}", lines[0])[:5] == ["Layer", "Kind", "Output", "Parameters", "MACs"]
    assert "size, share; a wider terminal or a file (-o FILE) has them." in " ".join(" ".join(lines).split())


ALONE = {
    "top": View(top=3), "sort": View(sort="params"), "filter": View(filter="*.1"), "sorted by name": View(sort="layer"),
    "chosen": View(top=3, columns=("layer", "params")), "chosen anew": View(filter="*.1", columns=("macs", "layer")),
}  # fmt: skip


@pytest.mark.parametrize("view", ALONE.values(), ids=ALONE)
def test_a_layer_that_stands_alone_has_its_path(odd: Profile, view: View) -> None:
    table = layer_table(odd, view)
    (i,) = (i for i, column in enumerate(table.columns) if column.name == "layer")
    paths = {layer.path for layer in odd.layers}
    assert {row.values[i] for row in table.rows} <= paths
    assert len({row.values[i] for row in table.rows}) == len(table.rows)
    assert {row.depth for row in table.rows} == {0}


def test_a_model_of_one_layer_has_a_name_there() -> None:
    assert layer_table(profile(nn.Linear(3, 4), (1, 3)), View(top=1)).rows[0].values[0] == "Linear"


def test_a_path_is_cut_at_its_beginning() -> None:
    """Which is alike in all layers."""
    table = layer_table(profile("vit_b_16"), View(top=12, columns=("layer", "kind", "output", "params", "macs")))
    first = [line.split()[0] for line in text.write(table, 70).splitlines()[2:14]]
    assert all(path.startswith("…") for path in first)
    assert len(set(first)) == 12


@pytest.mark.parametrize(("largest", "unit"), [(3000, "KB"), (5 * 2**20, "MB"), (100 * 2**30, "GB")])
@pytest.mark.parametrize("format", ["text", "markdown", "html", "latex"])
def test_a_table_has_its_sizes_in_one_unit_and_says_which(format: str, largest: int, unit: str) -> None:
    columns = (Column("layer", "Layer", Unit.TEXT, lambda *_: ""), Column("size", "", Unit.BYTES, lambda *_: 0))
    facts = (("Peak", largest, Unit.BYTES, ""), ("Layers", 2, Unit.EXACT, ""))
    table = Table(columns, (Row(("a", largest)), Row(("b", largest // 2))), facts)
    written = renderer(format).write(table)
    assert f"Peak, {unit}" in written
    assert f"1 {unit} = 1024" in written.replace(r"\,", "")
    scaled = largest / {"KB": 1024, "MB": 1024**2, "GB": 1024**3}[unit]
    assert all(f"{size:.2f}" in written for size in (scaled, scaled / 2))
    assert {"KB", "MB", "GB"} - {unit} == {other for other in ("KB", "MB", "GB") if other not in written}
    assert renderer("csv").write(table).splitlines()[1:] == [f"a,{largest}", f"b,{largest // 2}"]
    data = json.loads(renderer("json").write(table))
    assert data["facts"] == {"Peak, bytes": largest, "Layers": 2}
    assert data["rows"][0] == {"layer": "a", "size_bytes": largest}


@pytest.mark.parametrize(("longest", "unit"), [(25e-6, "us"), (0.0412, "ms"), (12.5, "s")])
@pytest.mark.parametrize("format", ["text", "markdown", "html", "latex"])
def test_a_table_has_its_times_in_one_unit_and_says_which(format: str, longest: float, unit: str) -> None:
    columns = (Column("layer", "Layer", Unit.TEXT, lambda *_: ""), Column("time", "Time", Unit.SECONDS, lambda *_: 0))
    table = Table(columns, (Row(("a", longest)), Row(("b", None))), (("Whole", longest, Unit.SECONDS, ""),))
    written = renderer(format).write(table)
    assert f"Whole, {unit}" in written
    assert f"Time {unit}" in written.replace("~", " ")
    assert f"{longest / {'us': 1e-6, 'ms': 1e-3, 's': 1}[unit]:.1f}" in written
    assert "?" in written
    assert renderer("csv").write(table).splitlines() == ["layer,time_seconds", f"a,{longest}", "b,"]
    data = json.loads(renderer("json").write(table))
    assert data["facts"] == {"Whole, seconds": longest}
    assert data["rows"] == [{"layer": "a", "time_seconds": longest}, {"layer": "b", "time_seconds": None}]


# Notes ----------------------------------------------------------------------------------------------------------------

NOTES = {
    "none": ("NOT COUNTED",),
    "short": ("NOT COUNTED", "Input 2×3×17×17 float32.", "Convention flops."),
    "full": ("NOT COUNTED", "Input 2×3×17×17 float32.", "Convention flops.", "a MAC is two", "Versions:", "bytes."),
}


@pytest.mark.parametrize("format", ["text", "markdown", "html", "latex", "github"])
@pytest.mark.parametrize("which", NOTES)
def test_as_many_notes_as_are_wanted(odd: Profile, format: str, which: str) -> None:
    written = renderer(format).answer(odd, notes=which).replace(r"$\times$", "×")
    every = NOTES["full"]
    assert [words for words in every if words in written] == list(NOTES[which])


def test_notes_in_python(odd: Profile) -> None:
    for name in ("markdown", "latex", "html"):
        written = {which: getattr(odd, f"to_{name}")(which) for which in NOTES}
        assert len(set(written.values())) == len(NOTES)
        assert getattr(odd, f"to_{name}")() == written["short"]


HOSTILE = r"a|b*c_d<e>`f`[g]$h~#i&j" + "\nk"


def test_texts_of_others_are_texts_in_markdown_and_latex() -> None:
    column = Column("x", HOSTILE, Unit.TEXT, lambda *_: "")
    facts = ((HOSTILE, HOSTILE, Unit.TEXT, HOSTILE), (HOSTILE, 5, Unit.EXACT, HOSTILE))
    table = Table((column,), (Row((HOSTILE,)), Row((HOSTILE,), failure=HOSTILE)), facts, (HOSTILE,), HOSTILE)
    escaped = r"a\|b\*c\_d\<e\>\`f\`\[g\]\$h\~\#i&amp;j\\nk"
    written = markdown.write(table)
    assert written.count(escaped) == 11
    assert written.replace(escaped, "").count("i&") == 0
    lines = renderer("latex").write(table).splitlines()
    assert sum(line.startswith("%") for line in lines) == 1 + len(facts)
    shown = [line.replace("$>$", "").replace("$<$", "") for line in lines if "j" in line and not line.startswith("%")]
    assert len(shown) >= 5
    assert not [line for line in shown if re.search(r"(?<!\\)[_&#$](?![ }])", line)]


@pytest.mark.parametrize("name", LAYER_COLUMNS)
@pytest.mark.parametrize("format", ["text", "markdown", "csv", "latex", "html"])
def test_every_column_in_every_format(odd: Profile, trained: Profile, weighed: Profile, format: str, name: str) -> None:
    view = View(columns=("path", name))
    timed = odd.on(Roofline(device()))
    special = {
        "a training step": (STEP_COLUMNS, trained),
        "--zeros": (ZERO_COLUMNS, weighed),
        "--device": (TIME_COLUMNS, timed),
    }
    option = next((option for option, (names, _) in special.items() if name in names), None)
    if option is not None:
        with pytest.raises(ProfileError, match=f"--columns {name} means something with {option}"):
            renderer(format).answer(Layers(odd, view))
        assert "stem.0" in renderer(format).answer(Layers(special[option][1], view))
    else:
        assert "stem.0" in renderer(format).answer(Layers(odd, view))


def test_a_profile_shows_itself(odd: Profile) -> None:
    assert str(odd).startswith("Layer")
    assert odd.to_html().startswith("<table>")
    assert "<details" in odd._repr_html_()
    assert repr(odd) == f"<Profile Odd: {odd.totals.params:,} parameters, {odd.totals.macs:,} MACs>"
    assert str(compare([odd, odd])).count("Odd") >= 2
    assert (odd.to_csv(), odd.to_markdown(), odd.to_latex()) == tuple(
        renderer(name).answer(odd) for name in ("csv", "markdown", "latex")
    )


# Numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (999, "999"), (1000, "1.000 k"), (999_999, "1.000 M"), (12_345_678, "12.35 M"),
     (3_663_761_408, "3.664 G"), (405_853_388_800, "405.9 G"), (10**18, "1000 P")],
)  # fmt: skip
def test_amounts(value: int, written: str) -> None:
    assert numbers.amount(value) == written


@given(st.integers(1000, 10**17))
def test_amounts_keep_four_digits(value: int) -> None:
    number, prefix = numbers.amount(value).split()
    steps = {prefix: step for step, prefix in numbers._STEPS}
    assert float(number) * steps[prefix] == pytest.approx(value, rel=5e-4)
    assert len(number.replace(".", "")) == 4


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0.00 MB"), (1, "<0.01 KB"), (3000, "2.93 KB"), (104_857, "102.40 KB"), (104_858, "0.10 MB"),
        (87_190_688, "83.15 MB"), (10 * 2**30 - 1, "10,240.00 MB"), (10 * 2**30, "10.00 GB"), (2**40, "1,024.00 GB"),
    ],
)  # fmt: skip
def test_a_size_in_the_unit_that_suits_it(value: int, written: str) -> None:
    assert numbers.text(value, Unit.BYTES) == written


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.0, Unit.SECONDS, "0 us"), (41.2354e-3, Unit.SECONDS, "41.24 ms"), (56.7e-6, Unit.SECONDS, "56.70 us"),
        (0.999_99, Unit.SECONDS, "1.000 s"), (3600.0, Unit.SECONDS, "3,600 s"), (2e-9, Unit.SECONDS, "0.002000 us"),
        (41.2354e-3, Unit.MS, "41.235"), (1e-7, Unit.MS, "<0.001"), (0.0, Unit.US, "0.000"), (None, Unit.MS, "?"),
        (24.2512, Unit.RATE, "24.25"), (0.05, Unit.RATE, "0.05000"), (999.96, Unit.RATE, "1.000 k"),
        (1.2341e12, Unit.RATE, "1.234 T"), (0.0, Unit.RATE, "0"),
    ],
)  # fmt: skip
def test_a_time_and_a_rate(value: float | None, unit: Unit, written: str) -> None:
    assert numbers.text(value, unit) == written


@given(st.floats(1e-8, 1e8))
def test_a_time_has_four_digits(value: float) -> None:
    number, unit = numbers.duration(value).split()
    assert float(number.replace(",", "")) * {"s": 1, "ms": 1e-3, "us": 1e-6}[unit] == pytest.approx(value, rel=5.1e-4)


@pytest.mark.parametrize(
    ("values", "unit", "cells", "prefix"),
    [
        ([1_814_073_344, 300_774_272, 0, None], Unit.AMOUNT, ["1.81", "0.30", "0", "?"], "G"),
        ([3_663_761_408, 512_000], Unit.AMOUNT, ["3,663.76", "0.51"], "M"),
        ([7_336_447_528, 25_088], Unit.AMOUNT, ["7,336.448", "0.025"], "M"),
        ([21_797_672, 3_504_872], Unit.COUNT, ["21.80", "3.50"], "M"),
        ([168, 504], Unit.COUNT, ["168", "504"], ""),
        ([10**18, 12], Unit.COUNT, ["1,000,000,000,000,000,000", "12"], ""),
        ([405_853_388_800, 8_030_261_248], Unit.COUNT, ["405.85", "8.03"], "G"),
        ([0, 0], Unit.AMOUNT, ["0", "0"], ""),
        ([], Unit.AMOUNT, [], ""),
        ([87_190_688, 200 * 1024, 0], Unit.MB, ["83.15", "0.20", "0"], ""),
        ([87_190_688, 512], Unit.MB, ["83.152", "<0.001"], ""),
        ([21_797_672, 128], Unit.EXACT, ["21,797,672", "128"], ""),
        ([41.2354e-3, 1.5e-3, 0.0, None], Unit.MS, ["41.24", "1.50", "0", "?"], ""),
        ([41.2354e-3, 5e-7], Unit.MS, ["41.235", "0.001"], ""),
        ([24.25, 0.051], Unit.RATE, ["24.250", "0.051"], ""),
        ([1.2341e12, 300e9], Unit.RATE, ["1.23", "0.30"], "T"),
    ],
)
def test_a_column_has_one_unit_and_as_many_decimals(
    values: list[float | None], unit: Unit, cells: list[str], prefix: str
) -> None:
    assert numbers.column(values, unit) == (cells, prefix)


@given(st.lists(st.integers(0, 10**18), min_size=1), st.sampled_from([Unit.AMOUNT, Unit.COUNT]))
def test_in_a_column_nothing_vanishes(values: list[int], unit: Unit) -> None:
    """Each cell is within half a unit of its last decimal, and two digits at least are right."""
    cells, prefix = numbers.column(values, unit)
    step = {prefix: step for step, prefix in numbers._STEPS}.get(prefix, 1)
    for value, cell in zip(values, cells, strict=True):
        written = float(cell.replace(",", "")) * step
        assert written == pytest.approx(value, rel=0.05)
        assert (written == 0) == (value == 0)
    assert len({len(cell.partition(".")[2]) for cell in cells if cell != "0"}) <= 1


@given(st.floats(1e-9, 1e9))
def test_a_multiple_does_not_vanish(value: float) -> None:
    assert float(numbers.times(value)[1:].replace(",", "")) == pytest.approx(value, rel=0.05)


def test_a_sign_of_our_own_takes_the_one_place_that_it_is_counted_with() -> None:
    signs = [chr(code) for code in grid.NARROW]
    assert [grid.width(sign) for sign in signs] == [wcswidth(sign) for sign in signs] == [1] * len(signs)
    assert grid.width("重み ×3") == 7
