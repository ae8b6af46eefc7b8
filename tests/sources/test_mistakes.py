"""A text that names no model: one line that says what was meant, told without torch."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profiler.cli.main import main
from profiler.sources.definitions import definitions

NET = """
import torch
from torch import nn
raise AssertionError("a refusal runs nothing")

class Base(nn.Module): ...
class Net(Base): ...
class Options: ...
def build(width=3): ...
def _helper(): ...
if torch: model = Net()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for inside in ("nets", "empty", "configured"):
        (tmp_path / inside).mkdir()
    for path in ("net.py", "nets/net.py"):
        (tmp_path / path).write_text(NET)
    (tmp_path / "configured" / "config.json").write_text("{}")
    (tmp_path / "nothing.py").write_text("x = 1")
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "notes.txt").write_text("hello world")
    monkeypatch.chdir(tmp_path)
    return tmp_path


HUB = "a model of the Hugging Face hub is written hf:"
IN_NET = "net.py:Base, net.py:Net, net.py:build, net.py:Options"
REMEDIES = {
    # of the hub
    "gpt2": f"{HUB}gpt2",
    "bert-base-uncased": f"{HUB}bert-base-uncased",
    "meta-llama/Llama-3-8B": f"{HUB}meta-llama/Llama-3-8B",
    "openai/whisper-tiny.en": f"{HUB}openai/whisper-tiny.en",
    "t5-small": f"{HUB}t5-small",
    "GPT2Config(n_layer=2)": "did you mean hf:GPT2Config(n_layer=2)?",
    "huggingface:gpt2": "did you mean hf:gpt2?",
    # URLs
    "https://example.com:80/net.pt": "download it, and name the file",
    "https://huggingface.co/gpt2": "write hf:gpt2",
    "hf:https://huggingface.co/org/name/tree/main": "write hf:org/name",
    "https://hf.co/org/name/resolve/main/x.gguf?download=true": "write hf:org/name/x.gguf",
    "s3://bucket/net.pt": "is a URL",
    "file:///tmp/net.pt": "write /tmp/net.pt",
    # names that are nearly those of a zoo
    "ResNet34": "did you mean resnet34, timm:resnet34?",
    "resnet-34(num_classes=10)": "did you mean resnet34, timm:resnet34?",
    "ViT-B/16": "did you mean vit_b_16?",
    "timm:ResNet50": "did you mean resnet50?",
    "torchvision:dpn92": "did you mean timm:dpn92?",
    "timm:xyzzy": "profile-model list 'timm:*' has the names",
    "timm/resnet50": "did you mean timm:resnet50?",
    "torchvison:resnet34": "did you mean torchvision:resnet34?",
    "torchvision.models.resnet34": "did you mean torchvision.models:resnet34?",
    "resnet343": "did you mean resnet34,",
    # code
    "net.py": f"say which callable in it: {IN_NET}",
    "net": f"say which callable in it: {IN_NET}",
    "net.build": "did you mean net.py:build?",
    "nets.net.build": "did you mean nets/net.py:build?",
    "net.py:buidl": "did you mean build?",
    "net.py:zzz": f"say which callable in it: {IN_NET}",
    "net:Nett": "did you mean Net?",
    "nets/net:build": "did you mean nets/net.py:build?",
    "nett.py:Net": "nett.py is not a file; did you mean net.py?",
    "nothing.py": "it defines no class and no function; name a file that does",
    "broken.py:build": "broken.py cannot be imported (SyntaxError",
    "absent.py": "absent.py is not a file",
    "nowhere:Net": "no package is called 'nowhere'; write torchvision:NAME",
    # files and folders
    "empty": "empty is a folder, of which one checkpoint is meant, and it has none; name a file",
    "./empty/": "is a folder",
    "configured": "write hf:configured for the model of its config.json",
    "nets": "name a file, like nets/net.py:CALLABLE",
    "notes.txt": "other models are named as FILE.py:CALLABLE, FILE.pt2, FILE.onnx or FILE.json",
    "nots.txt": "nots.txt is not a file; did you mean notes.txt?",
    "./absent": "./absent is not a file; give the path of one that exists",
    "absent/net.pt": "absent/net.pt is not a file",
    "nets/net.pt": "nets/net.pt is not a file; did you mean nets/net.py?",
    # no names at all
    "": "it is empty; name a model",
    "  ": "it is empty; name a model",
    "my model": "a name has no spaces in it; several models are a word each",
    "resnet18 resnet34": "several models are a word each",
    "resnet34(10)": "arguments need names",
    "a:b:c": "write NAME, timm:NAME",
    "x\0y": "no model is called",
    "yolo✓": "profile-model list has the names",
}  # fmt: skip


@pytest.mark.parametrize("text", REMEDIES)
def test_one_line_with_the_remedy(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([text]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert REMEDIES[text] in err


def test_torch_is_not_imported_for_any_of_them(folder: Path) -> None:
    """In one process, since each costs a start of Python; nor for a list of names."""
    code = (
        "import sys, time\nfrom profiler.cli.main import main\n"
        f"for text in {list(REMEDIES)!r}:\n    assert main([text]) == 2\n"
        "assert main(['list', 'resnet1*']) == 0\n"
        "print(sorted({'torch', 'torchvision', 'timm', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "resnet101" in done.stdout.splitlines()


def test_a_refusal_is_quick(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["gpt2"])  # reads the zoos' files
    before = time.process_time()
    assert main(["gpt2"]) == 2
    assert time.process_time() - before < 0.3


DEFINED = {
    "import a.b, c as d": ({"a", "d"}, True),
    "for i in x: y = 1": ({"i", "y"}, True),
    "class A:\n  b = 1": ({"A"}, True),
    "try: import a\nexcept ImportError as e: a = None": ({"a", "e"}, True),
    "match x:\n  case {'k': v, **rest}: pass\n  case [*others]: pass\n  case str() as s: pass":
        ({"v", "rest", "others", "s"}, True),
    "if (n := 1): pass": ({"n"}, True),
    "net.eval()": (set(), True),
    "from a import *": ({"*"}, False),
    "globals()['net'] = 1": (set(), False),
    "def f():\n  global net\n  net = 1": ({"f"}, False),
    "def __getattr__(name): ...": ({"__getattr__"}, False),
    "import sys\nsys.modules[__name__] = 1": ({"sys"}, False),
}  # fmt: skip


@pytest.mark.parametrize("code", DEFINED)
def test_names_that_a_file_binds(code: str, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(code)
    found = definitions(str(tmp_path / "code.py"))
    assert (found.names, found.is_complete) == DEFINED[code]


def test_a_file_that_may_bind_more_is_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "star.py").write_text("from torch.nn import *\ndef build(): return Linear(3, 4)")
    assert main(["star.py:Linear(in_features=3, out_features=4)", "--input", "1x3"]) == 0
    capsys.readouterr()
    assert main(["star.py:buidl"]) == 2
    assert re.search("did you mean build", capsys.readouterr().err)
