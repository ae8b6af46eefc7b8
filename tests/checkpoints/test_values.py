"""NaN and infinite values, of every dtype, in every format, as torch itself finds them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from profiler import errors
from profiler.answers.values.compute import check_values
from profiler.sources import checkpoints
from profiler.sources.checkpoints import values

DTYPES = ("float64", "float32", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz",
          "float8_e5m2fnuz", "float8_e8m0fnu")  # fmt: skip
NAN, INF = float("nan"), float("inf")


def found(path: Path) -> dict[str, tuple[int, int]]:
    return {one.name: (one.nans, one.infinities) for one in values.values(checkpoints.read(str(path))).found}


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_code_of_a_dtype(tmp_path: Path, dtype: str) -> None:
    """All that a byte, or two, can be; of wider ones, those that matter."""
    kind = getattr(torch, dtype)
    size = torch.empty(0, dtype=kind).element_size()
    whole = {1: (torch.uint8, 8), 2: (torch.int16, 16)}.get(size)
    if whole is None:
        made = torch.tensor([0.0, 1.0, -1.0, NAN, -NAN, INF, -INF, 1e-310, torch.finfo(kind).max], dtype=kind)
    else:
        made = torch.arange(2 ** whole[1]).to(whole[0]).view(kind)
    torch.save({"x": made}, tmp_path / "it.pt")
    numbers = made.double() if dtype != "float8_e8m0fnu" else made.float()
    assert found(tmp_path / "it.pt").get("x", (0, 0)) == (int(numbers.isnan().sum()), int(numbers.isinf().sum()))


@given(st.lists(st.floats(width=32), max_size=30))
def test_torch_finds_as_many(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    path = tmp_path_factory.mktemp("values") / "it.safetensors"
    made = torch.tensor(numbers)
    save_file({"x": made}, path)
    assert found(path).get("x", (0, 0)) == (int(made.isnan().sum()), int(made.isinf().sum()))


WEIGHTS = torch.zeros(4, 6)
WEIGHTS[1, 2], WEIGHTS[3, 0], WEIGHTS[3, 1] = NAN, INF, -INF


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "stream"])
def test_views_are_looked_at_where_they_are(tmp_path: Path, is_zip: bool) -> None:
    made = {"whole": WEIGHTS, "turned": WEIGHTS.T, "row": WEIGHTS[1], "column": WEIGHTS[:, 0], "fine": WEIGHTS[0]}
    torch.save(made, tmp_path / "it.pt", _use_new_zipfile_serialization=is_zip)
    assert found(tmp_path / "it.pt") == {"whole": (1, 2), "turned": (1, 2), "row": (1, 0), "column": (0, 1)}


def test_pieces_together_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "_PIECE", 5)
    test_views_are_looked_at_where_they_are(tmp_path, True)


def test_complex_numbers_have_two_parts(tmp_path: Path) -> None:
    torch.save({"x": torch.tensor([complex(NAN, INF), complex(1, -INF), 0j])}, tmp_path / "it.pt")
    assert found(tmp_path / "it.pt") == {"x": (1, 2)}


def test_what_has_no_such_values(tmp_path: Path) -> None:
    torch.save({"n": torch.zeros(3, dtype=torch.int64), "x": torch.zeros(2)}, tmp_path / "it.pt")
    seen = values.values(checkpoints.read(str(tmp_path / "it.pt")))
    assert (seen.looked_at, seen.size_bytes, seen.found) == (1, 4 * 2, ())
    assert seen.left_out == {"int64, which is always finite": 1}


def test_the_answer_names_them(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": WEIGHTS, "b": torch.zeros(2)}}, tmp_path / "it.pt")
    answer = check_values(str(tmp_path / "it.pt"))
    assert not answer.passed
    failure = answer.failure()
    assert isinstance(failure, errors.CheckFailed)
    assert "1 tensor has values not finite: state_dict.a (1 NaN, 2 infinite)" in str(failure)
