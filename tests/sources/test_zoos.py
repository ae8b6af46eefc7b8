"""The names of torchvision's and timm's models, read from their files: the same that the libraries list."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from profiler import errors
from profiler.sources import libraries, zoos


@pytest.mark.parametrize("zoo", zoos.ZOOS)
def test_names_are_those_that_the_library_lists(zoo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = import_module(f"{zoo}.models")
    listed = registry.list_models()
    monkeypatch.delitem(sys.modules, f"{zoo}.models")
    assert sorted(zoos.of(zoo)) == sorted(listed)
    assert zoos.of(zoo).index("resnet34") < zoos.of(zoo).index("resnet101")


def test_names_that_timm_had_before(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = import_module("timm.models._registry")
    before = set(registry._model_entrypoints) - set(import_module("timm").list_models())
    monkeypatch.delitem(sys.modules, "timm.models")
    assert "vit_base_patch16_224_in21k" in before
    assert {name for name in before if not zoos.has("timm", name)} == set()
    assert zoos.has("timm", "resnet34.a1_in1k")
    assert not zoos.has("torchvision", "resnet34.a1_in1k")


def test_a_model_that_the_users_code_has_registered() -> None:
    registry = import_module("torchvision.models._api")
    registry.register_model(name="a_model_of_mine")(lambda **_: None)
    try:
        assert zoos.has("torchvision", "a_model_of_mine")
    finally:
        del registry.BUILTIN_MODELS["a_model_of_mine"]


def library(folder: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package in place of the one that is installed."""
    (folder / name / "models").mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(str(folder))


IMPORTS = {
    "import torchsight": "timm needs torchsight, which is not installed; pip install torchsight",
    "raise ModuleNotFoundError('no', name='PIL.Image')": "timm needs PIL, which is not installed; pip install pillow",
    "import timm.nothing": "pip install --upgrade timm",
    "raise RuntimeError('operator x does not exist')": "(operator x does not exist), and may be made for another torch",
}


@pytest.mark.parametrize("code", IMPORTS)
def test_what_is_missing_is_named(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(tmp_path, "timm", code, monkeypatch)
    with pytest.raises(errors.MissingPackage) as caught:
        libraries.imported("timm")
    assert IMPORTS[code] in str(caught.value)


def test_a_folder_that_is_called_like_a_library_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_such_zoo").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(errors.MissingPackage, match="no_such_zoo is not installed; pip install no_such_zoo"):
        libraries.imported("no_such_zoo")
