"""The benchmark of conventions sees a figure that is wrong, whichever it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profiler import counters
from profiler.counters.running.job import Job
from profiler.counters.running.reading import Reading
from profiler.records.spec import Feed
from tests.benchmarks import convention_models
from tests.benchmarks import conventions as benchmark
from tests.benchmarks.small_models import SMALL

MODEL = "small-cnn"


@pytest.fixture(scope="module")
def reading() -> Reading:
    small = SMALL[MODEL]
    return counters.tool("fvcore").read(*Job(small.build(), Feed(small.args)).real())


def _cases(reading: Reading, folder) -> list[benchmark.Case]:
    benchmark.readings.keep(MODEL, {"fvcore": reading}, folder)
    return list(benchmark.cases(MODEL, ["fvcore", "thop"], folder))


def test_the_replica_agrees(reading, tmp_path):
    assert _cases(reading, tmp_path) == [benchmark.Case(MODEL, "fvcore")]


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        (lambda r: {"total": r.total + 1}, ["total", "account"]),
        (lambda r: {"layers": {**r.layers, "1": r.layers["1"] - 1}}, ["layers", "account"]),
        (lambda r: {"params": r.params + 1}, ["params", "account"]),
        (lambda r: {"layer_params": {**r.layer_params, "0": 0}}, ["layer params", "account"]),
    ],
    ids=["total", "layers", "params", "layer params"],
)
def test_a_figure_that_is_wrong_is_listed(reading, tmp_path, change, figures):
    (case,) = _cases(replace(reading, **change(reading)), tmp_path)
    assert case.is_wrong
    assert len(case.differences) == len(figures)
    for figure, difference in zip(figures, case.differences, strict=True):
        assert difference.startswith(figure)
    assert f"{MODEL}: {'; '.join(case.differences)}. No reason is known" in "\n".join(
        benchmark.report([case], ["fvcore"])
    )


def test_a_counter_that_fails_is_listed(tmp_path):
    (case,) = _cases(Reading("fvcore", error="ValueError: no"), tmp_path)
    assert (case.failure, case.is_wrong) == ("ValueError: no", False)
    assert f"fvcore fails itself\n  {MODEL}: ValueError: no" in "\n".join(benchmark.report([case], ["fvcore"]))


def test_reasons_are_of_models_and_replicas_that_there_are():
    assert set(benchmark.REASONS) <= set(counters.names())


def test_the_models_are_as_many_as_are_promised():
    import timm

    families = {timm.models._registry._model_to_module[name.removeprefix("timm:")] for name in convention_models.TIMM}
    assert len(convention_models.TORCHVISION) >= 20
    assert len(families) >= 40
    assert len(SMALL) >= 30
