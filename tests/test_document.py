"""A page of HTML that stands by itself: nothing of it comes from elsewhere, and only its own script runs."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from profiler import profile
from profiler.render.document import document
from tests.hostile_names import TEN, Markup, assert_harmless, check_html
from tests.shell import run

VERBS = {
    "weights": ("weights", "old.json"),
    "scan": ("scan", "net.py:net", "batch=1,2"),
    "match": ("match", "net.py:net", "weights.pt"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    profile(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (1, 3)).save("old.json")
    torch.save(nn.Linear(3, 4).state_dict(), "weights.pt")
    Path("net.py").write_text("from torch import nn\n\n\ndef net():\n    return nn.Linear(3, 4)\n")
    return tmp_path


@pytest.mark.parametrize("what", VERBS)
def test_a_file_is_a_whole_document(capsys: pytest.CaptureFixture[str], folder: Path, what: str) -> None:
    argv = VERBS[what] + ("--input", "1x3") * (what == "scan")
    assert run(capsys, *argv, "-o", "x.html") == (0, "", "")
    page = (folder / "x.html").read_text(encoding="utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')
    (title,) = re.findall("<title>(.*)</title>", page)
    assert title == " ".join(VERBS[what])
    check_html(page)


def test_nothing_is_fetched() -> None:
    page = document("x", "<p>y</p>")
    assert not re.search(r"https?:|url\(|@import|<link|src=", page)
    assert "default-src 'none'" in page
    assert "script" not in page


def test_only_its_own_script_runs() -> None:
    script = "document.title = 'é';"
    page = document("x", "<p>y</p>", script=script)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert page.count("<script>") == 1


@pytest.mark.parametrize("name", TEN.values(), ids=TEN)
def test_a_title_is_text(name: str) -> None:
    page = document(name, "<p>y</p>")
    found = Markup(page)
    assert found.tags == {"html", "head", "meta", "title", "style", "body", "p"}
    assert len(page) < len(document("", "")) + 5_000
    assert_harmless(page)
