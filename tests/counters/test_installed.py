"""Which counter is it that an import finds? And nothing is imported to find out."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from profiler import counters, errors
from profiler.counters.running.installed import missing


def test_every_file_is_a_counter_with_its_names():
    assert counters.names() == (
        "calflops", "calflops-flops", "deepspeed", "deepspeed-flops", "fvcore", "ptflops", "ptflops-aten", "thop",
        "torch", "torchinfo", "torchprofile", "ultralytics-thop",
    )  # fmt: skip
    for name in counters.names():
        found = counters.tool(name)
        assert found.DISTRIBUTION
        assert found.MODULE
        assert callable(found.read)
        assert found.CONVENTION.name == name


def test_a_counters_file_is_imported_without_the_counter_and_without_torch():
    code = """
import sys
from profiler import counters
from profiler.counters.running import installed, job, run, worker
packages = {counters.tool(name).MODULE for name in counters.names()} | {"torch"}
for name in counters.names():
    installed.missing(counters.tool(name))
print(sorted(packages & set(sys.modules)))
"""
    environment = {"PYTHONPATH": ":".join(entry for entry in sys.path if entry)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def rival(tmp_path, monkeypatch) -> Path:
    """A package `thop` of another distribution, where it is found first."""
    monkeypatch.delitem(sys.modules, "thop", raising=False)
    return _package(tmp_path, monkeypatch, "ultralytics_thop-9.9.dist-info", "ultralytics-thop")


def _package(folder: Path, monkeypatch, info: str, name: str, code: str = "profile = None\n") -> Path:
    file = folder / "thop" / "__init__.py"
    file.parent.mkdir()
    file.write_text(code)
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
    (folder / info).mkdir()
    (folder / info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    (folder / info / "RECORD").write_text(f"thop/__init__.py,sha256={digest},{file.stat().st_size}\n")
    monkeypatch.syspath_prepend(str(folder))
    return file


def test_thop_is_thop():
    assert missing(counters.tool("thop")) is None
    assert missing(counters.tool("ultralytics-thop")) == (
        "the package 'thop' that is installed is thop's, not ultralytics-thop's; "
        "pip uninstall thop && pip install --force-reinstall ultralytics-thop"
    )


def test_a_rival_is_not_taken_for_thop(rival):
    assert missing(counters.tool("ultralytics-thop")) is None
    assert missing(counters.tool("thop")) == (
        "the package 'thop' that is installed is ultralytics-thop's, not thop's; "
        "pip uninstall ultralytics-thop && pip install --force-reinstall thop"
    )


def test_files_that_another_has_overwritten_are_not_its_own(rival):
    """Both distributions list the file; whose contents it has decides."""
    rival.write_text("profile = print\n")
    reason = missing(counters.tool("ultralytics-thop"))
    assert reason.startswith("the package 'thop' that is installed is that of neither")


def test_a_package_of_nobody_is_no_counter(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "thop", raising=False)
    (tmp_path / "thop.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert missing(counters.tool("thop")) == (
        "the package 'thop' that is installed is that of neither, not thop's; pip install --force-reinstall thop"
    )


def test_thop_without_distutils_says_what_to_install(tmp_path, monkeypatch):
    code = "raise ModuleNotFoundError(\"No module named 'distutils'\", name='distutils')"
    monkeypatch.delitem(sys.modules, "thop", raising=False)
    _package(tmp_path, monkeypatch, "thop-0.1.dist-info", "thop", code)
    with pytest.raises(errors.ProfileError, match=r"thop imports distutils, .* pip install setuptools"):
        counters.tool("thop").read(None, (), {})
