"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from profiler.answers.layers import table as layer_tables
from profiler.answers.models import table as model_tables
from profiler.counters import conventions
from profiler.ops import folder, registry
from profiler.ops.layers import kind
from profiler.sources.onnx import record, rules  # noqa: F401  `record` registers them all, so that what is restored is whole
from tests import forked_counters, laws, own_torch, quick

os.environ["PROFILE_MODEL_CACHE"] = "off"  # what is tested is a run
os.environ.pop("COLUMNS", None)  # pytest-xdist gives it to its workers; tables are as wide as they are on a pipe

folder.load()  # so that what is restored is whole
laws.register()
quick.remember_options()
forked_counters.share_imports()

REGISTRIES = (
    (registry, "_formulas"), (registry, "_free"), (registry, "_costs"),
    (kind, "_kinds"), (layer_tables, "LAYER_COLUMNS"),
    (model_tables, "MODEL_COLUMNS"), (conventions, "_added"), (rules, "_rules"),
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="write what the documents' examples print now into them")


@pytest.fixture
def restored_registries() -> Iterator[None]:
    """Whatever a test registers (formulas, kinds of layers, columns) is forgotten afterwards."""
    before = [dict(getattr(module, name)) for module, name in REGISTRIES]
    yield
    for (module, name), saved in zip(REGISTRIES, before, strict=True):
        live = getattr(module, name)
        live.clear()
        live.update(saved)


@pytest.fixture(scope="module", autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """The counters that a file runs beside ours leave nothing to the tests of the next file."""
    with own_torch.put_back():
        yield


@pytest.fixture(scope="module")
def counters_in_new_processes() -> Iterator[None]:
    """For a file whose subject is how counters are run."""
    with forked_counters.new_processes():
        yield
