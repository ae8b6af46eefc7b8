"""LaTeX: what it escapes, and that a real LaTeX run takes it as it is.

The runs need `pdflatex` with booktabs and longtable (`apt install texlive-latex-base texlive-latex-recommended`); they
are skipped where it is missing. `pytest -m latex` runs them alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import Profile, compare, diff, profile
from profiler.answers.layers.compute import Layers, View
from profiler.render.formats import latex
from profiler.render.tables import Column, Row, Table, Unit
from profiler.render.tex import escaped
from tests.test_comparison import HOSTILE
from tests.test_docs import ROOT, rewritten

needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


# Escaping -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("layer_1 & 50% #2 $x {y}", r"layer\_1 \& 50\% \#2 \$x \{y\}"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("3×3 → 1·1…", r"3$\times$3 $\rightarrow$ 1$\cdot$1\ldots{}"),
        ("[x]*", "{[}x{]}{*}"),
        ("a--b---c", "a-{}-b-{}--c"),
        ("é e\u0301 Ž ï ł ß", r"""{\'{e}} {\'{e}} {\v{Z}} {\"{\i}} \l{} \ss{}"""),
        ("λ=Δ", r"$\lambda$=$\Delta$"),
        ("网络", r"\ifdefined\Umathchar 网络\else U+7F51 U+7EDC\fi{}"),
        ("two\nlines", r"two\textbackslash{}nlines"),
    ],
)  # fmt: skip
def test_escaped(text: str, written: str) -> None:
    assert escaped(text) == written


@given(st.text())
def test_nothing_special_is_left(text: str) -> None:
    """Without the commands there are, no character is left that TeX would not print."""
    written = re.sub(r"\\ifdefined\\Umathchar .*?\\else (U\+[0-9A-F]+ ?)+\\fi\{\}", "", escaped(text))
    written = re.sub(r"\$(\\[a-z]+|\^\\circ|\^\d|-)\$", "", written, flags=re.IGNORECASE)
    written = re.sub(r"\{\\(ttfamily\\char\d+|[`'^~=\"a-zA-Z.]\{\\?[a-zA-Z]\})\}", "", written)
    written = re.sub(r"\\[a-zA-Z]+\{\}|\\[&%$#_{}]", "", written)
    assert not set(written) & set('\\&%$#_^~<>|"')
    assert written.isascii()
    assert written.count("{") == written.count("}")


# Tables ---------------------------------------------------------------------------------------------------------------


def column(name: str, unit: Unit) -> Column:
    return Column(name, name, unit, lambda subject, _: subject)


def test_decimal_points_stand_under_each_other() -> None:
    columns = (column("Model", Unit.TEXT), column("acc", Unit.NUMBER), column("MACs", Unit.AMOUNT))
    values = (("a", Decimal("76.50"), 3_000_000), ("b", Decimal("8"), 0), ("c", "n/a", None))
    written = latex.write(Table(columns, tuple(map(Row, values)), chosen=True))
    assert "Model & acc & MACs (M) \\\\" in written
    assert "a & 76.50 & 3.00 \\\\" in written
    assert r"b & 8\phantom{.00} & 0\phantom{.00} \\" in written
    assert "c & n/a & ? \\\\" in written


def test_a_long_table_repeats_its_headings() -> None:
    rows = tuple(Row((str(i),)) for i in range(100))
    table = Table((column("Model", Unit.TEXT),), rows, caption="A", anchor="tab:a")
    long, short = latex.write(table), latex.write(Table(table.columns, rows[:10], caption="A", anchor="tab:a"))
    assert long.startswith("% In the preamble: \\usepackage{booktabs, longtable}\n")
    assert long.count("Model \\\\") == 2
    assert short.startswith("% In the preamble: \\usepackage{booktabs}\n")
    assert short.count("Model \\\\") == 1
    for written in (long, short):
        assert "\\caption{A}\\label{tab:a}" in written


@pytest.mark.parametrize(("convention", "heading"), [("flops", "MACs"), ("macs", "FLOPs")])
def test_layers_show_what_the_convention_is_about(convention: str, heading: str) -> None:
    written = latex.answer(profile(nn.Conv2d(3, 4, 3), (1, 3, 8, 8), convention=convention))
    assert f"Layer & Kind & Output & Parameters & {heading} (k) \\\\" in written


def test_names_that_are_too_long_are_wrapped_before_columns_are_left_out() -> None:
    relu = profile(nn.ReLU(), (1, 2))
    long = "model.py:net(" + ", ".join(f"option_{i}=True" for i in range(8)) + ")"
    written = compare([relu, relu], labels=[long, "short"]).to_latex()
    assert re.search(r"\\begin\{tabular\}\{@\{\}p\{\d+pt\}rrrrrl@\{\}\}", written)
    assert r"option\_\allowbreak{}0=\allowbreak{}True,\allowbreak{}" in written
    assert "Not shown" not in written
    beside = compare([relu, relu], labels=["a", "b"]).to_latex()
    assert r"\begin{tabular}{@{}lrrrrrl@{}}" in beside


def test_columns_that_nobody_chose_are_left_out_for_want_of_room() -> None:
    relu = profile(nn.ReLU(), (1, 2))
    names = [f"a long metric {i}" for i in range(4)]
    values = {"a": dict.fromkeys(names, 1.5)}
    written = compare([relu], labels=["a"], metrics=values).to_latex()
    assert "% Not shown for want of room: flops, size, activations, input; Markdown and CSV have them." in written
    every = compare([relu], ["model", "size", "input", "activations", *names], labels=["a"], metrics=values).to_latex()
    assert "Not shown" not in every
    assert written.count(" & a long metric") == every.count(" & a long metric") == len(names)


def test_a_negative_number_has_a_minus_sign() -> None:
    written = latex.write(Table((column("Name", Unit.TEXT), column("By", Unit.RATIO)), (Row(("a-b", -0.5)),)))
    assert "a-b & $-$0.50 \\\\" in written


# A real LaTeX run -----------------------------------------------------------------------------------------------------


def compiled(folder: Path, *tables: str) -> tuple[list[str], int]:
    """Complaints of a LaTeX run over tables as they are, with the packages that they ask for; and the pages made."""
    packages = dict.fromkeys(re.search(r"% In the preamble: (.*)", table)[1] for table in tables)  # type: ignore[index]
    for number, table in enumerate(tables):
        (folder / f"table{number}.tex").write_text(table + "\n", encoding="utf-8")
    inputs = "\n".join(rf"\input{{table{number}}}" for number in range(len(tables)))
    lines = [
        r"\documentclass{article}",
        *packages,
        r"\begin{document}",
        r"Text~\ref{tab:x}.",
        inputs,
        r"\end{document}",
    ]
    (folder / "paper.tex").write_text("\n".join(lines), encoding="utf-8")
    return typeset(folder)


def typeset(folder: Path) -> tuple[list[str], int]:
    for _ in range(3):  # longtable wants its widths, and references their numbers
        command = ["pdflatex", "-interaction=nonstopmode", "paper.tex"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL
        )
    log = done.stdout.decode(errors="replace")
    made = re.search(r"Output written on paper.pdf \((\d+) page", log)
    complaints = re.findall(r"^(?:!|Overfull|LaTeX Warning|Package \w+ Warning|Missing character).*", log, re.MULTILINE)
    return complaints, int(made[1]) if made else 0


@pytest.fixture(scope="module")
def resnet34() -> Profile:
    return profile("resnet34")


@pytest.mark.latex
@needs_latex
def test_five_models_compile(tmp_path: Path, resnet34: Profile) -> None:
    pytest.importorskip("timm")
    models = ["resnet18", resnet34, "resnet50", "vit_b_16", "timm:dpn92"]
    found = compare(models, metrics=True, bold=True, caption="Five models & more", tex_label="tab:x")
    assert compiled(tmp_path, found.to_latex()) == ([], 1)


@pytest.mark.latex
@needs_latex
def test_layers_compile(tmp_path: Path, resnet34: Profile) -> None:
    tables = [
        latex.answer(Layers(resnet34, View(depth=depth, anchor=name)))
        for depth, name in ((1, "tab:x"), (None, "tab:y"))
    ]
    complaints, pages = compiled(tmp_path, *tables)
    assert complaints == []
    assert pages > 1


@pytest.mark.latex
@needs_latex
def test_hostile_names_compile(tmp_path: Path) -> None:
    model = profile(nn.ReLU(), (1, 2))
    names = [*HOSTILE, "".join(map(chr, range(32, 127))), "".join(map(chr, range(0xA0, 0x180)))[:60], "αβγ ΓΔ", "ế ą đ"]
    values = {name: {"a_b%&": name[:12]} for name in names}
    for rows in (names, names * 5):
        found = compare(
            [model] * len(rows),
            ["model", "a_b%&"],
            labels=rows,
            metrics=values,
            caption=" ".join(HOSTILE),
            tex_label="tab:x",
        )
        complaints, pages = compiled(tmp_path, found.to_latex())
        assert [c for c in complaints if not c.startswith("Overfull")] == []
        assert pages > 0


@pytest.mark.latex
@needs_latex
def test_long_names_fit_the_page(tmp_path: Path) -> None:
    relu = profile(nn.ReLU(), (1, 2))
    options = "".join(f", option_{i}=True" for i in range(8))
    labels = [f"model.py:net(width=64{options})", f"with words and{options}", "short"]
    found = compare([relu] * 3, labels=labels, caption=labels[0], tex_label="tab:x", relative_to="short")
    assert compiled(tmp_path, found.to_latex()) == ([], 1)


@pytest.mark.latex
@needs_latex
@pytest.mark.parametrize("after", ["resnet34(num_classes=10)", "resnet50", "mobilenet_v2"])
def test_what_changed_compiles(tmp_path: Path, resnet34: Profile, after: str) -> None:
    tables = [
        f"% In the preamble:{table}" for table in diff(resnet34, after).to_latex().split("% In the preamble:")[1:]
    ]
    complaints, pages = compiled(tmp_path, *tables)
    assert [
        complaint for complaint in complaints if "tab:x" not in complaint and "undefined ref" not in complaint
    ] == []
    assert pages > 0


@pytest.mark.latex
@needs_latex
def test_the_paper_of_the_documents_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tables that the page's own commands write."""
    monkeypatch.chdir(tmp_path)
    rewritten((ROOT / "docs" / "paper-tables.md").read_text(encoding="utf-8"), tmp_path)
    assert typeset(tmp_path) == ([], 1)


@pytest.mark.latex
@needs_latex
def test_a_table_that_does_not_compile_is_seen(tmp_path: Path) -> None:
    complaints, _ = compiled(tmp_path, "% In the preamble: \\usepackage{booktabs}\n$a_b & \\undefined{")
    assert any(complaint.startswith("!") for complaint in complaints)
