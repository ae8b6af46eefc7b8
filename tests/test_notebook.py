"""A notebook: a tree that opens without a script, trusted or not, of bounded size, with names as text; and frames."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import nn

from profiler import Profile, ProfileError, compare, diff, profile
from profiler.render import notebook
from tests.hostile_names import TEN, assert_harmless, check_html

# What `packages/apputils/src/sanitizer.ts` of jupyterlab/jupyterlab leaves of what we write, in an untrusted notebook.
TAGS = {"details", "summary", "samp", "div", "span", "b", "p", "table", "tr", "th", "td", "thead", "tbody", "caption"}
ATTRIBUTES = {"style", "class", "open", "colspan", "id"}
STYLES = {
    "overflow": r"visible|hidden|scroll|auto",
    "white-space": r"normal|pre|nowrap|pre-wrap|pre-line",
    "line-height": r"normal|[+]?([0-9]*[.])?[0-9]+",
    "padding-left": r"([0-9]*[.])?[0-9]+em",
    "margin-bottom": r"([0-9]*[.])?[0-9]+em",
    "max-height": r"([0-9]*[.])?[0-9]+em",
    "list-style-position": r"inside|outside",
    "cursor": r"default|pointer",
    "display": r"none|block",
    "text-align": r"left|right|center|justify",
}


class Tree(HTMLParser):
    """The rows, each with how many open and how many closed parts it stands in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[tuple[int, int, str]] = []
        self.tags: set[str] = set()
        self.styles: list[tuple[str, str]] = []
        self.attributes: set[str] = set()
        self._around: list[bool] = []
        self._text: str | None = None
        self.feed(page)
        assert not self._around, "each part ends"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        style = dict(attrs).get("style") or ""
        self.styles += [tuple(part.strip() for part in pair.split(":")) for pair in style.split(";") if pair.strip()]
        if tag == "details":
            self._around.append("open" in dict(attrs))
        if tag == "samp":
            self._text = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "details":
            self._around.pop()
        if tag == "samp":
            assert self._text is not None
            self.rows.append((len(self._around), self._around.count(False), self._text))
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text += data


@pytest.fixture(scope="module")
def resnet() -> Profile:
    return profile("resnet34")


def hostile() -> nn.Module:
    layers = nn.Sequential()
    for name in TEN.values():
        layers.add_module(name.replace(".", "·"), nn.Sequential(nn.Linear(2, 2)))
    return layers


def test_it_is_a_tree_of_all_layers_open_to_depth_2(resnet: Profile) -> None:
    heading, *rows = Tree(resnet._repr_html_()).rows
    assert heading[2].split() == ["Layer", "Kind", "Output", "Parameters", "MACs", "FLOPs", "MB", "FLOPs", "%"]
    assert len(rows) == len(resnet.layers)
    for layer, (inside, closed, text) in zip(resnet.layers, rows, strict=True):
        is_container = any(other.path.startswith(f"{layer.path}.") for other in resnet.layers) or not layer.path
        assert inside == layer.depth + is_container  # a container's own line stands in its part
        is_own_closed = is_container and layer.depth >= 2
        assert (closed - is_own_closed > 0) is (layer.depth > 2)
        assert f"{layer.params:,}" in text


def test_figures_stand_under_each_other(resnet: Profile) -> None:
    page = resnet._repr_html_().replace('<span style="display: none">\u00a0\u00a0</span>', "")
    heading, *rows = [text for _, _, text in Tree(page).rows]
    end = heading.index("Parameters") + len("Parameters")
    for layer, row in zip(resnet.layers, rows, strict=True):
        assert row[:end].endswith(f"\u00a0{layer.params:,}")


def test_an_untrusted_notebook_leaves_all_of_it(resnet: Profile) -> None:
    page = Tree(resnet._repr_html_())
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    for name, value in page.styles:
        assert re.fullmatch(STYLES[name], value), (name, value)


def test_facts_and_what_is_not_counted_stay_in_sight() -> None:
    @torch.library.custom_op("notebook_test::odd", mutates_args=())
    def odd(x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @odd.register_fake
    def _(x: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(x)

    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return odd(x)

    page = profile(nn.Sequential(Odd()), (2, 3))._repr_html_()
    after = page.rpartition("</details>")[2]
    assert "NOT COUNTED" in after
    assert "Operator calls" in after


@pytest.mark.parametrize("kind", ["layers", "models", "diff", "memory", "weights"])
def test_names_are_text(kind: str) -> None:
    found = profile(hostile(), (1, 2))
    answers = {
        "layers": lambda: found,
        "models": lambda: compare([found, found], labels=[TEN["a script"], TEN["closing tags"]]),
        "diff": lambda: diff(found, profile(nn.Sequential(nn.Linear(2, 3)), (1, 2))),
        "memory": lambda: found.memory,
        "weights": lambda: found.weights("int8"),
    }
    page = answers[kind]()._repr_html_()
    check_html(page, {"details", "summary", "samp", "div", "span"}, {"open"})
    assert_harmless(page)
    assert len(page) < 200_000
    if kind == "layers":
        assert html.escape(TEN["a script"]) in page.replace("\u00a0", " ")


def test_a_large_model_is_bounded_and_says_so() -> None:
    def block() -> nn.Module:
        return nn.Sequential(*(nn.ReLU() for _ in range(9)))

    large = profile(nn.Sequential(*(nn.Sequential(*(block() for _ in range(15))) for _ in range(10))), (1, 2))
    page = large._repr_html_()
    assert len(large.layers) == 1 + 10 + 10 * 15 + 10 * 15 * 9
    assert "Shown to depth 2 of 3, 161 of 1,511 rows; print() and to_pandas() have all." in page
    assert len(Tree(page).rows) == 1 + 161
    flat = profile(nn.Sequential(*(nn.ReLU() for _ in range(2_000))), (1, 2))
    page = flat._repr_html_()
    assert "Shown are the first 1,000 of 2,001 rows; print() and to_pandas() have all." in page
    assert len(Tree(page).rows) == 1 + notebook.MOST_ROWS
    assert len(page.encode()) < 400_000


def test_ipython_shows_a_table_that_ends(resnet: Profile) -> None:
    pretty = pytest.importorskip("IPython.lib.pretty")
    shown = pretty.pretty(resnet)
    assert shown.startswith("Layer")
    assert "Shown to depth 2 of 4, 27 of 116 rows; print() shows all." in shown


# Frames ---------------------------------------------------------------------------------------------------------------


def test_a_frame_is_the_csv_with_types(resnet: Profile) -> None:
    frame = resnet.to_pandas()
    assert list(frame.columns) == resnet.to_csv().partition("\n")[0].split(",")
    assert frame.dtypes.astype(str).to_dict() == {
        "path": "string", "class": "string", "kind": "string", "output": "object", "params": "Int64",
        "macs": "Int64", "flops": "Int64", "size_bytes": "Int64", "share": "Float64", "calls": "Int64",
    }  # fmt: skip
    assert frame["params"].tolist() == [layer.params for layer in resnet.layers]
    assert frame.loc[frame["path"] == "", "size_bytes"].item() == 21_797_672 * 4
    assert frame.loc[frame["path"] == "conv1", "output"].item() == (1, 64, 112, 112)
    assert (frame.attrs["model"], frame.attrs["convention"]) == ("resnet34", "flops")


def test_what_is_not_known_is_missing() -> None:
    frame = profile(nn.Linear(3, 4)).to_pandas()
    assert frame["params"].tolist() == [3 * 4 + 4]
    assert frame["macs"].dtype == "Int64"
    assert frame[["macs", "flops", "share", "calls"]].isna().all(axis=None)


def test_models_side_by_side_are_a_frame(resnet: Profile) -> None:
    small = profile(nn.Linear(3, 4), (1, 3))
    frame = compare([resnet, small], labels=["a", "b"]).to_pandas()
    assert frame["model"].tolist() == ["a", "b"]
    assert frame["params"].tolist() == [21_797_672, 3 * 4 + 4]
    assert frame["size_bytes"].dtype == "Int64"
    assert frame.attrs == {"model": ["resnet34", "Linear"], "convention": "flops"}


@pytest.mark.parametrize("what", ["memory", "weights", "diff"])
def test_every_answer_is_a_frame(resnet: Profile, what: str) -> None:
    answers = {
        "memory": lambda: resnet.memory,
        "weights": lambda: resnet.weights("int8"),
        "diff": lambda: resnet.diff("resnet18"),
    }
    answer = answers[what]()
    frame = answer.to_pandas()
    assert len(frame) == len(answer.to_csv().splitlines()) - 1
    assert not {str(dtype) for dtype in frame.dtypes} - {"string", "object", "Int64", "Float64"}


def test_without_pandas_one_line_says_what_to_do(resnet: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ProfileError, match=r"pandas is not installed; pip install pandas"):
        resnet.to_pandas()


def test_nothing_else_needs_pandas() -> None:
    import subprocess
    import sys

    code = "from profiler import *; import sys; assert 'pandas' not in sys.modules and 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)
