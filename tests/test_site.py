"""The documentation site builds without a warning and without a network, and every link in it leads somewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

import profiler
from profiler.cli import help, verbs

ROOT = Path(__file__).parent.parent
PARTS = ("first-steps.html", "budgets.html", "how-it-counts.html", "api.html", "cli/diff.html")


class Page(HTMLParser):
    """What a page links to, what it loads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        if tag == "link" and "href" in named:
            self.loads.append(named["href"])
        if "src" in named:
            self.loads.append(named["src"])


def build(folder: Path) -> dict[str, Page]:
    """The pages of the site, by their paths in it; what commands wrote for the gallery is none of them."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/site/mkdocs.yml", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    paths = [path for path in folder.rglob("*.html") if path.parent.name != "gallery" and path.name != "404.html"]
    return {path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8")) for path in paths}


def dead_links(pages: dict[str, Page], folder: Path) -> Iterator[str]:
    """Of links and of what is loaded, those to a file or an anchor that is not there."""
    for at, page in pages.items():
        for link in {*page.links, *page.loads}:
            if link.startswith(("http:", "https:", "data:", "mailto:")):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (folder / at).parent / path if path else folder / at
            target = target / "index.html" if target.is_dir() else target
            name = target.resolve().relative_to(folder.resolve()).as_posix()
            if not target.exists() or (anchor and name in pages and anchor not in pages[name].anchors):
                yield f"{at}: {link}"


def fetched(pages: dict[str, Page]) -> list[str]:
    """What a page loads from somewhere else."""
    return [f"{at}: {load}" for at, page in pages.items() for load in page.loads if load.startswith(("http", "//"))]


def test_the_site(tmp_path: Path) -> None:
    pages = build(tmp_path)
    assert list(dead_links(pages, tmp_path)) == []
    assert fetched(pages) == []
    anchors = pages["api.html"].anchors | pages["api-answers.html"].anchors | pages["api-own.html"].anchors
    assert {f"profiler.{name}" for name in profiler.__all__} <= anchors
    for name in verbs.built_in():
        text = (tmp_path / "cli" / f"{name}.html").read_text(encoding="utf-8")
        for options in help.about(name).groups.values():
            assert [option for option, _ in options if f"<code>{option}</code>" not in text] == []
    found = {entry["location"] for entry in json.loads((tmp_path / "search/search_index.json").read_bytes())["docs"]}
    assert set(PARTS) <= found
    assert (tmp_path / "search" / "search_index.js").exists()  # which is what a page opened from a disk can load


# The checks themselves ------------------------------------------------------------------------------------------------

DEAD = {
    "a file": '<a href="b.html">',
    "an anchor": '<a href="#b">',
    "an anchor of another page": '<a href="sub/c.html#b">',
    "a picture": '<img src="b.svg">',
}


@pytest.mark.parametrize("text", DEAD.values(), ids=DEAD)
def test_a_dead_link_is_seen(text: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.html", "sub/c.html"):
        (tmp_path / name).touch()
    other = Page('<p id="c"><a href="../a.html#here">')
    assert len(list(dead_links({"a.html": Page(f'<p id="here">{text}'), "sub/c.html": other}, tmp_path))) == 1


def test_what_is_fetched_is_seen() -> None:
    page = Page('<script src="https://example.org/a.js"></script><link href="//example.org/a.css"><a href="https://b">')
    assert fetched({"a.html": page}) == ["a.html: https://example.org/a.js", "a.html: //example.org/a.css"]
