"""Limits: exact where they are met, and what is said where they are not."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import CheckFailed, Profile, ProfileError, errors, profile
from profiler.answers.check.compute import BudgetCheck, BudgetFailed, Checked, limit, verdicts
from profiler.answers.common.limitable import FIGURES, TIME
from profiler.figures import memory
from profiler.render import FORMATS, numbers, renderer
from profiler.render.formats import markdown
from profiler.render.tables import Unit

SNAPSHOTS = Path(__file__).parent / "snapshots"
IN, HIDDEN, OUT, ROWS = 64, 256, 32, 16
FIRST, SECOND = IN * HIDDEN + HIDDEN, HIDDEN * OUT + OUT
PARAMS, BUFFER = FIRST + SECOND, 10
MACS = ROWS * (IN * HIDDEN + HIDDEN * OUT)
PEAK = 4 * ROWS * (HIDDEN + HIDDEN)  # the first layer's output and the activation's


@torch.library.custom_op("budget_test::odd_op", mutates_args=())
def odd_op(x: torch.Tensor) -> torch.Tensor:
    return x.clone()


@odd_op.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


class Net(nn.Module):
    def __init__(self, odd: int = 0) -> None:
        super().__init__()
        self.first = nn.Linear(IN, HIDDEN)
        self.second = nn.Linear(HIDDEN, OUT)
        self.second.requires_grad_(False)
        self.register_buffer("kept", torch.zeros(BUFFER))
        self.odd = odd

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(torch.tanh(self.first(x)))
        for _ in range(self.odd):
            x = odd_op(x)
        return x


@pytest.fixture(scope="module")
def net() -> Profile:
    return profile(Net(), (ROWS, IN))


@pytest.fixture(scope="module")
def odd() -> Profile:
    return profile(Net(2), (ROWS, IN))


FIGURES_OF_NET = {
    "params": PARAMS,
    "trainable": FIRST,
    "size": 4 * PARAMS,
    "macs": MACS,
    "flops": 2 * MACS + ROWS * (HIDDEN + HIDDEN + OUT),
    "activations": 4 * ROWS * (HIDDEN + HIDDEN + OUT),
    "cache": 0,
    "peak-memory": 4 * (PARAMS + BUFFER + ROWS * IN) + PEAK,
    "unknown": 0,
}


def keyword(name: str) -> str:
    return "max_" + name.replace("-", "_")


def said(net: Profile, **limits: int | float | str) -> str:
    """What a check says that fails."""
    with pytest.raises(CheckFailed) as caught:
        net.check(**limits)
    assert caught.value.status == 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Exactly --------------------------------------------------------------------------------------------------------------


def test_every_figure_is_tried() -> None:
    assert FIGURES_OF_NET.keys() == FIGURES.keys() - {TIME}  # which there is on a device: test_device_columns


@pytest.mark.parametrize(("name", "value"), FIGURES_OF_NET.items())
def test_the_limit_itself_is_allowed_and_one_less_is_not(net: Profile, name: str, value: int) -> None:
    check = net.check(**{keyword(name): value})
    assert check.passed
    assert [verdict.measured for verdict in check.models[0].verdicts] == [value]
    if value:
        assert ", 1 over" in said(net, **{keyword(name): value - 1}).replace(" byte over", " over")


def test_a_limit_in_text_is_as_exact(net: Profile) -> None:
    net.check(max_params=f"{PARAMS:,}", max_size=f"{4 * PARAMS}B", max_macs=f"{MACS / 1000}k")
    said(net, max_params=f"{PARAMS - 1:,}")
    said(net, max_size=f"{4 * PARAMS - 1}B")
    said(net, max_macs=f"{(MACS - 1) / 1000}k")
    net.check(max_macs=float(MACS))


@given(st.integers(0, 2 * 4 * PARAMS))
def test_a_verdict_is_a_comparison(most: int) -> None:
    net = _KEPT[0]
    (verdict,) = verdicts(net, "net", [limit("size", most, "here", "said")])
    assert verdict.passed is (most >= 4 * PARAMS)
    assert verdict.over == max(0, 4 * PARAMS - most)
    assert (verdict.failure() is None) is verdict.passed
    assert bool(verdict.parts) is not verdict.passed


_KEPT = [profile(Net(), (ROWS, IN))]


@pytest.mark.parametrize("name", [name for name in FIGURES_OF_NET if name != "unknown"])
def test_a_figure_is_the_sum_of_its_layers(net: Profile, name: str) -> None:
    figure = FIGURES[name]
    assert sum(part.amount for part in figure.by_layer(net)) == figure.of(net) == FIGURES_OF_NET[name]


@pytest.mark.parametrize("convention", ["flops", "fvcore", "thop"])
def test_so_it_is_in_a_real_model_with_shared_weights_and_in_any_convention(convention: str) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
            self.again = self.block
            self.other = nn.Conv2d(3, 3, 3, padding=1)
            self.other.weight = self.block[0].weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.other(self.again(self.block(x)) + x).relu()

    found = profile(Tied(), (2, 3, 8, 8), convention=convention)
    for figure in (figure for figure in FIGURES.values() if figure.name != TIME):
        assert sum(part.amount for part in figure.by_layer(found)) == figure.of(found), figure.name


def test_what_is_alive_at_the_peak_is_the_peak(net: Profile) -> None:
    assert sum(storage.size_bytes for storage in memory.alive_at_peak(net.trace)) == PEAK
    assert memory.input_bytes(net.trace) == 4 * ROWS * IN


def test_a_model_that_runs_nothing_has_memory_too() -> None:
    class Nothing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    found = profile(Nothing(), (3, 5))
    assert found.totals.peak_memory_bytes == 4 * 3 * 5
    assert "the inputs" in said(found, max_peak_memory=1)


def test_every_tensor_that_it_is_fed_counts() -> None:
    class Both(nn.Module):
        def forward(self, x: torch.Tensor, *, more: dict[str, torch.Tensor]) -> torch.Tensor:
            return x + more["y"]

    found = profile(Both(), torch.zeros(3, 5), kwargs={"more": {"y": torch.zeros(3, 5)}})
    assert found.totals.peak_memory_bytes == 4 * (3 * 5 + 3 * 5 + 3 * 5)


# What is said ---------------------------------------------------------------------------------------------------------


def test_counts_have_all_digits(net: Profile) -> None:
    assert said(net, max_params="20k") == (
        f"Net, parameters: {PARAMS:,} against 20 k (max_params), {PARAMS - 20_000:,} over; "
        f"most is in first ({FIRST:,}, {100 * FIRST / PARAMS:.1f} %), "
        f"second ({SECOND:,}, {100 * SECOND / PARAMS:.1f} %)"
    )


def test_rounded_where_nothing_is_hidden_and_exact_where_it_is() -> None:
    found = profile(nn.Linear(1024, 1024, bias=False), (1, 1024))
    whole = 4 * 1024 * 1024
    assert "size: 4.00 MB against 3 MB (max_size), 1.00 MB over;" in said(found, max_size="3MB")
    assert f"size: {whole:,} bytes against {whole - 1:,} bytes (max_size), 1 byte over;" in said(
        found, max_size=whole - 1
    )
    assert f"size: {whole:,} bytes against 3.99 MB, which is {int(3.99 * 1024 * 1024):,} bytes (max_size)" in said(
        found, max_size="3.99MB"
    )
    macs = 1024 * 1024
    assert "MACs: 1.049 M against 500 k (max_macs), 548.6 k over;" in said(found, max_macs="500k")
    assert f"MACs: {macs:,} against 1.048 M, which is 1,048,000 (max_macs), {macs - 1_048_000} over;" in said(
        found, max_macs="1.048M"
    )


@given(st.integers(1, 2**40), st.integers(0, 2**40), st.sampled_from([Unit.BYTES, Unit.AMOUNT, Unit.EXACT]))
def test_what_is_written_short_does_not_mislead(more: int, less: int, unit: Unit) -> None:
    """Whoever subtracts the two figures that are shown is wrong by a few percent of the difference at most."""
    if more <= less or not numbers.is_distinguishable(more, less, unit):
        return
    shown = _read(numbers.quantity((more, unit))) - _read(numbers.quantity((less, unit)))
    assert abs(shown - (more - less)) <= 0.03 * (more - less) + 1e-6 * more


def _read(text: str) -> float:
    number, _, unit = text.replace(",", "").replace("<", "").partition(" ")
    return (
        float(number) * {"": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit]
    )


def test_all_that_is_over_is_said(net: Profile) -> None:
    with pytest.raises(BudgetFailed) as caught:
        net.check(max_params=1, max_trainable=FIRST, max_macs="1k")
    assert [str(one).split(":")[0] for one in caught.value.failures] == ["Net, parameters", "Net, MACs"]
    assert str(caught.value) == "; and ".join(map(str, caught.value.failures))


def test_layers_are_the_largest_first_and_at_most_five() -> None:
    found = profile(nn.Sequential(*(nn.Linear(4, 4, bias=n > 3) for n in range(7))), (1, 4))
    (verdict,) = verdicts(found, "net", [limit("params", 1, "", "")])
    assert [(part.path, part.amount) for part in verdict.parts] == [
        ("4", 4 * 4 + 4), ("5", 4 * 4 + 4), ("6", 4 * 4 + 4), ("0", 4 * 4), ("1", 4 * 4),
    ]  # fmt: skip
    assert str(verdict.failure()).count("%") == 3


# Operators without a formula ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES_OF_NET)
def test_what_is_not_counted_is_not_under_a_limit(odd: Profile, name: str) -> None:
    limits = {keyword(name): 10**12}
    if name in ("macs", "flops", "activations", "peak-memory"):
        words = said(odd, **limits)
        assert f"Net, {FIGURES[name].words}: cannot be held to" in words
        assert f"({keyword(name)})" in words
        assert "budget_test.odd_op.default ×2" in words
        assert "allow them with max-unknown 2" in words
        assert odd.check(**limits, max_unknown=2).passed
        assert "calls without a formula: 2 against 1 (max_unknown), 1 over" in said(odd, **limits, max_unknown=1)
    else:
        assert odd.check(**limits).passed


def test_too_many_are_named(odd: Profile) -> None:
    assert said(odd, max_unknown=0) == (
        "Net, calls without a formula: 2 against 0 (max_unknown), 2 over; most is in budget_test.odd_op.default ×2"
    )


def test_over_already_without_them(odd: Profile) -> None:
    assert said(odd, max_macs=MACS - 1).startswith(
        f"Net, MACs: at least {MACS:,} against {MACS - 1:,} (max_macs), 1 over"
    )


# What is refused ------------------------------------------------------------------------------------------------------

REFUSED = {
    "max_params": ("25MB", -1, 1.5, True, float("inf"), float("nan"), None, [1], "lots"),
    "max_size": ("80", "80M", -1, 0.5, False, float("inf"), b"80MB"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_a_malformed_limit_is_refused_in_one_line(net: Profile, name: str, value: object) -> None:
    if value is None:
        with pytest.raises(errors.ProfileError, match="and none is given; give one, like max_params"):
            net.check(max_params=None)
        return
    with pytest.raises(errors.ProfileError) as caught:
        net.check(**{name: value})
    assert str(caught.value).startswith(f"{name}={value!r}: not a {'size' if name == 'max_size' else 'whole count'}; ")
    assert caught.value.status == 2


# How it is shown ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def check(net: Profile, odd: Profile) -> BudgetCheck:
    limits = [
        limit("params", "1M", "b.toml:3", ""),
        limit("size", "50kB", "b.toml:4", ""),
        limit("macs", "1G", "b.toml:5", ""),
        limit("unknown", 0, "b.toml:6", ""),
    ]
    broken = Checked("lost", problem=ProfileError("no model is called 'lost'; did you mean last?"))
    return BudgetCheck(
        (
            Checked("net", verdicts(net, "net", limits)),
            broken,
            Checked("odd", verdicts(odd, "odd", limits[1:3])),
        )
    )


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_every_row(check: BudgetCheck, format: str) -> None:
    shown = renderer(format).answer(check)
    assert "did you mean last?" in shown
    assert "b.toml:5" in shown
    assert "budget_test" in shown.replace("\\", "") or format == "csv"
    assert f"{PARAMS:,}" in shown or str(PARAMS) in shown


@pytest.mark.parametrize("format", FORMATS)
def test_snapshot(check: BudgetCheck, format: str, request: pytest.FixtureRequest) -> None:
    output = renderer(format).answer(check) + "\n"
    path = SNAPSHOTS / f"budgets{(renderer(format).SUFFIXES or markdown.SUFFIXES)[0]}"  # GitHub shows Markdown
    if request.config.getoption("--refresh"):
        path.write_text(output)
    assert output == path.read_text()


def test_the_table(check: BudgetCheck) -> None:
    over = (4 * PARAMS - 50 * 1024) / 1024
    used = 100 * 4 * PARAMS / (50 * 1024)
    rows = [line.split() for line in str(check).splitlines()[2:]]
    assert rows[0] == ["net", "parameters", f"{PARAMS:,}", "1,000,000", f"{PARAMS / 1e4:.1f}", "b.toml:3"]
    size = [f"{4 * PARAMS / 1024:.2f}", "KB", "50.00", "KB", f"{used:.1f}", f"{over:.2f}", "KB", "b.toml:4"]
    assert rows[1] == ["net", "size", *size]
    assert rows[3] == ["net", "calls", "without", "a", "formula", "0", "0", "b.toml:6"]
    assert rows[4][:2] == ["lost", "failed:"]
    assert rows[6] == ["odd", "MACs", f"{MACS / 1e3:.1f}", "k", "1.000", "G", "?", "?", "b.toml:5"]
    assert "odd: NOT COUNTED, for want of a formula: budget_test.odd_op.default ×2" in str(check)


def test_json_and_csv_are_raw(check: BudgetCheck) -> None:
    net, lost, odd = json.loads(check.to_json())
    assert (net["passed"], lost["passed"], odd["passed"]) == (False, False, False)
    assert lost["limits"] == []
    assert "did you mean last?" in lost["error"]
    size = net["limits"][1]
    assert size["layers"] == [{"path": "first", "amount": 4 * FIRST}, {"path": "second", "amount": 4 * SECOND}]
    assert {key: size[key] for key in ("figure", "unit", "measured", "limit", "over", "passed", "place")} == {
        "figure": "size", "unit": "bytes", "measured": 4 * PARAMS, "limit": 50 * 1024,
        "over": 4 * PARAMS - 50 * 1024, "passed": False, "place": "b.toml:4",
    }  # fmt: skip
    assert odd["limits"][1]["unknown_ops"] == {"budget_test.odd_op.default": 2}
    rows = list(csv.DictReader(io.StringIO(check.to_csv())))
    assert [row["uncounted_calls"] for row in rows] == ["0", "0", "0", "0", "", "0", "2"]
    assert [row["passed"] for row in rows] == ["yes", "no", "yes", "yes", "", "no", "no"]
    assert int(rows[1]["over"]) == 4 * PARAMS - 50 * 1024
    assert rows[1]["layers"] == f"first:{4 * FIRST} second:{4 * SECOND}"
    assert "did you mean last?" in rows[4]["error"]


def test_an_error_of_ours_is_a_profile_error() -> None:
    assert issubclass(BudgetFailed, ProfileError)
    for limits in ({}, {"max_size": "5"}):
        with pytest.raises(ProfileError) as caught:
            profile(nn.Linear(2, 3), (1, 2)).check(**limits)
        assert caught.value.status == 2
