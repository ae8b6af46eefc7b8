"""What `python -m tests.compat` compares with; and the names that some versions of torch lack exist in the newest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from profiler.engine.meta import autocast, named, rules
from tests.compat import results, table
from tests.compat.environments import VERSIONS
from tests.compat.models import MODELS
from tests.compat.results import Difference, Results, differences
from tests.compat.table import Column


def test_every_name_that_is_looked_up_exists() -> None:
    """In the torch of the tests, which is the newest: a name that is misspelt would be passed over everywhere."""
    for device in autocast.POLICIES:
        list(autocast.Casts(device).kernels())
    names = named.asked()
    assert "aten._grouped_mm.default" in names
    assert len(names) > 100
    assert [name for name in names if named.operator(name) is None] == []


@pytest.mark.parametrize("name", ["aten.no_such_operator.default", "aten.add.no_such_overload"])
def test_a_name_that_torch_does_not_have_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "_names", set())
    assert named.operator(name) is None
    assert named.asked() == {name}


def test_a_rule_for_an_operator_that_torch_does_not_have_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SHAPES", {})
    rules.rule(None)(lambda: None)
    assert rules.SHAPES == {}


def test_models_and_versions_have_names_of_their_own() -> None:
    assert len({case.name for case in MODELS}) == len(MODELS) > 40
    assert len({versions.torch for versions in VERSIONS}) == len(VERSIONS)


# What is compared -----------------------------------------------------------------------------------------------------

MODEL = {
    "totals": {"macs": 12, "params": 5},
    "layers": [{"path": "", "macs": 12, "own": {"macs": 2}}, {"path": "fc", "macs": 10, "own": {"macs": 10}}],
    "unknown_ops": {},
}


def _changed(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(MODEL)), **changes}


def test_what_is_the_same_does_not_differ() -> None:
    assert list(differences(MODEL, _changed())) == []


def test_figures_that_differ_are_named() -> None:
    there = _changed(totals={"macs": 13, "params": 5}, unknown_ops={"aten.foo": 1})
    there["layers"][1]["own"]["macs"] = 11
    assert list(differences(MODEL, there)) == [
        Difference("totals.macs", 12, 13),
        Difference("fc: own.macs", 10, 11),
        Difference("unknown_ops.aten.foo", None, 1),
    ]


def test_a_layer_that_is_missing_differs() -> None:
    there = _changed(layers=MODEL["layers"][:1])
    assert {found.where for found in differences(MODEL, there)} >= {"the order of layers", "fc: macs"}


def _results(**models: Any) -> Results:
    return Results({"torch": "2.0.0"}, models)


def test_the_table(tmp_path: Path) -> None:
    here = _results(same=MODEL, other=MODEL, absent=MODEL)
    there = _results(same=MODEL, other=_changed(totals={"macs": 13, "params": 5}), absent={"error": "NoSuchModel: x"})
    columns = [Column("2.0", here, there), Column("1.9", here, "no such version")]
    text = table.written(columns)
    assert "| same | equal | not available |" in text
    assert "| other | differs | not available |" in text
    assert "| absent | not available | not available |" in text
    assert "- other, torch 2.0: NO REASON IS KNOWN\n  - totals.macs: 12 here, 13 there" in text
    assert "- 1.9: not available (no such version)" in text
    assert [column.is_explained for column in columns] == [False, True]


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "here.json"
    path.write_text(json.dumps({"versions": {"torch": "2.0.0"}, "models": {"same": MODEL}}))
    assert results.read(path) == _results(same=MODEL)
