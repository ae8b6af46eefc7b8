"""What README and docs show is what happens: every block is run, and the document that results is the one there is.

- ```console holds `$ profile-model ...` and what it prints on a pipe.
- ```python is executed, all blocks of a document in one namespace; a ```text block behind it holds what it prints.
  A name behind the language (```python model.py, ```toml list.toml) makes it a file for the shell blocks instead.
- ```toml pyproject.toml with entry points is installed: the folder gets the metadata that `pip install .` would write.
- ```sh is not run here: such lines install packages or run this very test suite. `.ci/run` runs README's test line.

`pytest tests/test_docs.py --refresh` writes what is printed now into the documents.
"""

import contextlib
import io
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from profiler.cli import verbs
from profiler.cli.main import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$(?P<gap>\n*)", re.MULTILINE | re.DOTALL)
VERSIONS = re.compile(r"^(?:- |\\par )?Versions: .*(\nVersions: .*)*$", re.MULTILINE)  # several models may name several
LINK = re.compile(r"\]\((?!https?://)(?P<path>[^)#]*)(?:#(?P<anchor>[^)]*))?\)")
WRITTEN = ("python", "toml", "csv", "tex")
NOT_RUN = ("pip install ", "python3 -m venv ", ". .venv/", "pytest", "ruff ", "mypy", "mkdocs ", ".ci/run")


def rewritten(document: str, folder: Path) -> str:
    """The document with what its examples print now. `folder` is where its files are written."""
    namespace: dict[str, object] = {"__name__": "document"}
    printed: str | None = None  # by the Python block just before

    def block(match: re.Match[str]) -> str:
        nonlocal printed
        language, _, name = match["info"].partition(" ")
        text, shown, printed = match["text"], printed, None
        assert not shown or language == "text", f"nothing shows what this prints: {shown!r}, before {text!r}"
        if language == "console":
            text = "".join(f"$ {command}\n{_run_command(command)}" for command in _commands(text))
        elif language in WRITTEN and name:
            (folder / name).write_text(text, encoding="utf-8")
            if name == "pyproject.toml":
                _install(tomllib.loads(text), folder)
        elif language == "python":
            printed = _run_python(text, namespace)
        elif language == "text":
            assert shown, f"no Python block prints {text!r}"
            text = shown
        else:
            assert language == "sh", f"a block of {language!r} cannot be run"
            assert all(line.startswith(NOT_RUN) for line in text.splitlines()), text
        return f"```{match['info']}\n{text}```{match['gap']}"

    result = FENCE.sub(block, document)
    assert not printed, f"nothing shows what this prints: {printed!r}"
    return result


def _install(project: dict[str, Any], folder: Path) -> None:
    """Make the entry points of a project known, whose modules are in the folder."""
    name, version = project["project"]["name"], project["project"]["version"]
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    groups = project["project"]["entry-points"].items()
    lines = [line for group, points in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    verbs.added.cache_clear()


def _commands(text: str) -> list[str]:
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def _run_command(command: str) -> str:
    program, *arguments = shlex.split(command)
    assert program == "profile-model", f"{program} is not ours to run"
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        main(arguments)
    return out.getvalue()


def _run_python(code: str, namespace: dict[str, object]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "<document>", "exec"), namespace)
    return out.getvalue()


def without_versions(document: str) -> str:
    return VERSIONS.sub("Versions: ...", document)


@pytest.fixture
def folder(tmp_path, monkeypatch, restored_registries):
    """Where a document is at home while it runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)  # where what a document installs is found
    yield tmp_path
    verbs.added.cache_clear()
    for name, module in list(sys.modules.items()):  # two documents may call a file of theirs the same
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_document(path, folder, request) -> None:
    document = path.read_text(encoding="utf-8")
    result = rewritten(document, folder)
    if request.config.getoption("--refresh"):
        path.write_text(result, encoding="utf-8")
    else:
        assert without_versions(result) == without_versions(document)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path) -> None:
    for match in LINK.finditer(FENCE.sub("", path.read_text(encoding="utf-8"))):
        target = path.parent / match["path"] if match["path"] else path
        assert target.exists(), match[0]
        if match["anchor"]:
            assert match["anchor"] in _anchors(target), match[0]


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_first_lines_of_readme() -> None:
    """Someone who copies them gets the table, and passing tests."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert "pip install '.[timm]' && profile-model resnet34" in lines
    assert "pip install '.[test]' && pytest -n auto" in lines


def test_install_lines_work_before_the_package_is_on_an_index() -> None:
    """From a copy of the repository: `pip install '.[hf]'`."""
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*"), *ROOT.glob("profiler/**/*.py")]
    lines = [line for path in texts if path.is_file() for line in path.read_text(encoding="utf-8").splitlines()]
    installing = [line for line in lines if "pip install" in line]
    assert "pip install '.[hf]'" in installing
    assert [line for line in installing if re.search(r"pip install '?profile-model", line)] == []


def test_the_module_runs_as_a_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "profiler", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("profile-model ")


# The checks themselves ------------------------------------------------------------------------------------------------

WRONG_OUTPUT = {
    "command": "```console\n$ profile-model resnet99\nall is well\n```\n",
    "python": "```python\nprint(2 + 2)\n```\n\n```text\n5\n```\n",
}


@pytest.mark.parametrize("document", WRONG_OUTPUT.values(), ids=WRONG_OUTPUT)
def test_a_wrong_output_is_seen(document, folder) -> None:
    assert without_versions(rewritten(document, folder)) != document


REFUSED = {
    "unknown language": "```yaml\na: 1\n```\n",
    "a command of another program": "```console\n$ rm model.py\n```\n",
    "a shell line that is no installation": "```sh\nprofile-model resnet34\n```\n",
    "an output that nobody prints": "```text\n4\n```\n",
    "a print that nobody shows": "```python\nprint(4)\n```\n\nNext.\n\n```python\nx = 1\n```\n",
    "a print at the end": "```python\nprint(4)\n```\n",
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_a_block_that_would_go_unchecked_is_refused(document, folder) -> None:
    with pytest.raises(AssertionError):
        rewritten(document, folder)


def test_a_python_block_that_raises_fails(folder) -> None:
    with pytest.raises(ZeroDivisionError):
        rewritten("```python\n1 / 0\n```\n", folder)


def test_what_is_right_stays_as_it_is(folder) -> None:
    document = "# A\n\n```python\nx = 2\n```\n\n```python\nprint(x * 2)\n```\n\n```text\n4\n```\n\nB\n"
    assert rewritten(document, folder) == document


def test_only_the_versions_are_overlooked() -> None:
    assert without_versions("a\nVersions: torch 2.14.1.\nb\n") == without_versions("a\nVersions: torch 3.0.\nb\n")
    assert without_versions("a 1\n") != without_versions("a 2\n")


def test_a_translation_has_the_same_examples() -> None:
    """What is computed is the same in each language."""
    english, chinese = (ROOT / "docs" / name for name in ("glossary.md", "glossary.zh.md"))
    blocks = [match[0].strip() for match in FENCE.finditer(english.read_text(encoding="utf-8"))]
    assert [match[0].strip() for match in FENCE.finditer(chinese.read_text(encoding="utf-8"))] == blocks
    assert len(blocks) > 20


@pytest.mark.parametrize(
    "number", ["228.88", "34,944", "321,130,496", "2·C = 2·64 = 128", "3,663,761,408", "21,797,672"]
)
def test_the_worked_numbers_are_printed_by_commands(number: str) -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    printed = [match["text"] for match in FENCE.finditer(text) if match["info"] == "console"]
    assert any(number in line for block in printed for line in block.splitlines() if not line.startswith("$"))
