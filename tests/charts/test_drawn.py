"""Each kind of chart, drawn: against a stored image, in every format, with names that others chose, in a document.

`pytest --refresh` stores what is drawn now; look at it before it is kept.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from profiler import ProfileError
from profiler.render import CHARTS as FORMATS
from profiler.render.charts import paper
from profiler.render.charts.data import Chart
from profiler.render.charts.look import Look
from tests.charts.charts import CHARTS, named_by, scatter
from tests.hostile_names import HOSTILE


def has_pgf() -> bool:
    return subprocess.run(["kpsewhich", "pgf.sty"], capture_output=True, check=False).returncode == 0


FOLDER = Path(__file__).parent.parent / "snapshots" / "charts"
SMALL = {"savefig.dpi": 80}
MOST = (
    0.06  # root of the mean square of differences, of 0 to 1: type may be set a little otherwise by another matplotlib
)
needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None or not has_pgf(), reason="LaTeX or pgf is missing")


def drawn(chart: Chart, name: str = "png", **look: object) -> bytes:
    page = paper.figure(chart, Look(**look), is_pgf=name == "pgf")  # type: ignore[arg-type]
    return page.written(name)


def difference(one: bytes, other: bytes) -> float:
    first, second = (imread(io.BytesIO(content))[..., :3] for content in (one, other))
    if first.shape != second.shape:
        return 1.0
    return float(np.sqrt(np.mean((first - second) ** 2)))


@pytest.mark.parametrize("kind", CHARTS)
def test_looks_as_it_did(kind: str, request: pytest.FixtureRequest) -> None:
    path, image = FOLDER / f"{kind}.png", drawn(CHARTS[kind], style=SMALL, title="A title")
    if request.config.getoption("--refresh"):
        FOLDER.mkdir(exist_ok=True)
        path.write_bytes(image)
    assert difference(image, path.read_bytes()) < MOST


def test_another_drawing_is_seen() -> None:
    one = drawn(CHARTS["scatter"], style=SMALL)
    other = drawn(scatter(("tiny", "small_v2", "base", "large", "slow", "another")), style=SMALL)
    assert difference(one, other) > MOST
    assert difference(one, drawn(CHARTS["kinds"], style=SMALL)) > MOST


@pytest.mark.parametrize(("kind", "format"), [*((kind, "pdf") for kind in CHARTS), ("memory", "svg"), ("scan", "png")])
def test_a_file_is_the_same_every_time(kind: str, format: str) -> None:
    assert drawn(CHARTS[kind], format, style=SMALL) == drawn(CHARTS[kind], format, style=SMALL)


@pytest.mark.parametrize("kind", CHARTS)
def test_fonts_are_embedded_as_true_type(kind: str) -> None:
    content = drawn(CHARTS[kind], "pdf", style={"pdf.compression": 0})
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


@pytest.mark.parametrize("width", [3.5, 7.16])
@pytest.mark.parametrize("kind", CHARTS)
def test_is_as_wide_as_a_column(kind: str, width: float) -> None:
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", drawn(CHARTS[kind], "pdf", width=width))
    assert box is not None
    assert float(box[1]) == pytest.approx(72 * width, abs=0.01)
    assert float(box[2]) < 72 * 5


@pytest.mark.parametrize("width", [3.5, 7.16])
@pytest.mark.parametrize("kind", CHARTS)
def test_no_text_is_cut_off_or_covered(kind: str, width: float) -> None:
    page = paper.figure(CHARTS[kind], Look(width, title="A title"))
    page.draw_without_rendering()
    extents = [text.get_window_extent() for text in shown(page)]
    assert len(extents) > 10
    for extent in extents:
        assert page.bbox.x0 - 1 <= extent.x0 <= extent.x1 <= page.bbox.x1 + 1
        assert page.bbox.y0 - 1 <= extent.y0 <= extent.y1 <= page.bbox.y1 + 1
    assert not any(one.overlaps(other) for one, other in combinations(extents, 2))


def shown(page: paper.PaperFigure) -> list[mpl.text.Text]:
    """All texts that are drawn: ticks have labels beyond the axes, which are not."""
    texts = [*page.texts, *(t for legend in page.legends for t in [*legend.get_texts(), legend.get_title()])]
    for axes in page.axes:
        legend = axes.get_legend()
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label, *(legend.get_texts() if legend else ())]
        for line in (axes.xaxis, axes.yaxis):
            least, most = sorted(line.get_view_interval())
            ticks = [tick for tick in line.get_major_ticks() if least <= tick.get_loc() <= most]
            texts += [tick.label1 for tick in ticks if tick.label1.get_visible()]
    return [text for text in texts if text.get_text().strip()]


def test_forty_models_at_column_width() -> None:
    """More than there is room for: some go, and none of the others covers another."""
    names = tuple(f"a_model_with_a_name_{i}" for i in range(40))
    page = paper.figure(scatter(names), Look())
    labels = [text for text in page.axes[0].texts if text.get_text().startswith("a_model")]
    boxes = [text.get_window_extent() for text in labels]
    assert "a_model_with_a_name_0" in {text.get_text() for text in labels}  # on the front, and so among the first
    assert 8 < len(labels) < 40
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("kind", CHARTS)
def test_settings_of_matplotlib_are_left_alone(kind: str) -> None:
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "none", "axes.facecolor": "red"}):
        during = dict(mpl.rcParams)
        other = drawn(CHARTS[kind], style=SMALL)
        assert dict(mpl.rcParams) == during
    assert other == drawn(CHARTS[kind], style=SMALL)
    assert dict(mpl.rcParams) == before


def test_a_style_goes_before_ours() -> None:
    plain, red = (drawn(CHARTS["kinds"], style={**SMALL, **more}) for more in ({}, {"axes.facecolor": "red"}))
    assert difference(plain, red) > MOST


# Names ----------------------------------------------------------------------------------------------------------------

NAMED = named_by(HOSTILE)
TAGS = {
    "RDF", "Work", "clipPath", "defs", "format", "g", "metadata", "path", "pattern", "rect", "style", "svg", "text",
    "tspan", "type", "use",
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_names_are_text_in_svg(kind: str) -> None:
    """As outlines, and as text where a style says so."""
    for style in ({}, {"svg.fonttype": "none"}):
        root = ElementTree.fromstring(drawn(NAMED[kind], "svg", style=style, title=HOSTILE[0]))
        elements = [(element.tag.rpartition("}")[2], element.attrib) for element in root.iter()]
        assert {tag for tag, _ in elements} <= TAGS
        assert not [name for _, names in elements for name in names if name.startswith("on")]
        assert not [to for _, names in elements for name, to in names.items() if "href" in name and to[:1] != "#"]


@pytest.mark.parametrize("kind", NAMED)
def test_names_are_text_and_no_mathematics(kind: str) -> None:
    page = paper.figure(NAMED[kind], Look(title=HOSTILE[18]))
    texts = {text.get_text() for text in page.findobj(mpl.text.Text)}
    assert HOSTILE[18] in texts
    assert not any(text.get_parse_math() for text in page.findobj(mpl.text.Text) if "$" in text.get_text())
    assert max(map(len, texts)) < 100


@needs_latex
@pytest.mark.latex
@pytest.mark.parametrize("kinds", [CHARTS, NAMED], ids=["usual", "hostile"])
def test_a_document_with_all_figures(tmp_path: Path, kinds: dict[str, Chart]) -> None:
    body = []
    for kind, chart in kinds.items():
        for format in ("pdf", "pgf"):
            (tmp_path / f"{kind}-{format}.{format}").write_bytes(drawn(chart, format, title=HOSTILE[17]))
        body += [rf"\includegraphics{{{kind}-pdf.pdf}}\par", rf"\input{{{kind}-pgf.pgf}}\par"]
    document = "\n".join(
        [r"\documentclass{article}", r"\usepackage{graphicx, pgf}", r"\begin{document}", *body, r"\end{document}"]
    )
    (tmp_path / "paper.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "root:" not in (tmp_path / "paper.log").read_text(errors="replace")


def test_pgf_without_latex_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ProfileError, match=r"install one with the package pgf, or write \.pdf"):
        drawn(CHARTS["kinds"], "pgf")


def test_every_format_has_a_writer() -> None:
    assert FORMATS == ("pdf", "svg", "png", "pgf")
