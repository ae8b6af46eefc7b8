"""What several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from profiler import describe, parameters, tables
from profiler.ops import registry

REGISTRIES = (
    (registry, "_formulas"), (registry, "_free"), (registry, "_costs"),
    (parameters, "_walkers"), (describe, "_shapes"), (tables, "LAYER_COLUMNS"),
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="write what the documents' examples print now into them")


@pytest.fixture
def restored_registries() -> Iterator[None]:
    """Whatever a test registers (formulas, walkers, columns) is forgotten afterwards."""
    before = [dict(getattr(module, name)) for module, name in REGISTRIES]
    yield
    for (module, name), saved in zip(REGISTRIES, before, strict=True):
        live = getattr(module, name)
        live.clear()
        live.update(saved)
