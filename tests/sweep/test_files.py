"""The rows in files: typed columns, the same whatever wrote them, and read again as what they were."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

import profiler
from profiler import ProfileError
from tests.sweep.asked import FINE, ZOO

METRICS = {f"{ZOO}:linear(width=1)": {"acc@1": 70.25, "note": "first"}, f"{ZOO}:linear(width=2)": {"acc@1": "71"}}
TYPES = {
    "model": pa.string(), "status": pa.string(), "params": pa.int64(), "macs": pa.int64(), "size_bytes": pa.int64(),
    "lower_bound_time_seconds": pa.float64(), "throughput": pa.float64(), "bound": pa.string(), "input": pa.string(),
    "acc@1": pa.float64(), "note": pa.string(), "reason": pa.string(),
}  # fmt: skip


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "zoo.parquet"
    profiler.sweep([*FINE, f"{ZOO}:raises"], output=path, device="h100-sxm", metrics=METRICS, jobs=1)
    return path


def test_columns_of_parquet_have_types_and_places_for_what_is_not_known(output: Path) -> None:
    table = parquet.read_table(output)
    assert {name: table.schema.field(name).type for name in TYPES} == TYPES
    last = table.to_pylist()[-1]
    assert (last["status"], last["macs"], last["lower_bound_time_seconds"], last["acc@1"]) == (
        "failed",
        None,
        None,
        None,
    )


def test_pandas_polars_and_duckdb_read_it_alike(output: Path) -> None:
    expected = [(f"{ZOO}:linear(width={width})", width * 4) for width in range(5, 8)]
    frame = pd.read_parquet(output)
    assert [*frame[frame.macs > 4 * 4][["model", "macs"]].itertuples(index=False, name=None)] == expected
    assert pl.read_parquet(output).filter(pl.col("macs") > 4 * 4).select("model", "macs").rows() == expected
    assert duckdb.sql(f"select model, macs from '{output}' where macs > 4 * 4 order by macs").fetchall() == expected


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_is_read_again_as_the_rows_that_it_was_written_of(output: Path, tmp_path: Path, suffix: str) -> None:
    again, once_more = tmp_path / f"again{suffix}", tmp_path / f"more{suffix}"
    first = profiler.sweep(str(output), output=again)
    second = profiler.sweep(str(again), output=once_more)
    assert again.read_bytes() == once_more.read_bytes()
    assert str(first) == str(second)
    assert first.to_json() == second.to_json()


def test_the_journal_is_a_source_of_rows_too(output: Path) -> None:
    rows = profiler.sweep(f"{output}.jsonl", where="macs > 4 * 4").rows
    assert [row["macs"] for row in rows] == [width * 4 for width in range(5, 8)]


def test_json_has_the_rows_by_the_names_of_the_csv(output: Path) -> None:
    data = json.loads(profiler.sweep(str(output)).to_json())
    assert (data["schema"], data["models"], data["by_status"]) == (1, 8, {"failed": 1, "ok": 7})
    assert data["rows"][0]["size_bytes"] == 1 * 4 * 4
    assert pd.DataFrame(data["rows"])["size_bytes"].tolist()[:7] == [w * 4 * 4 for w in range(1, 8)]
    assert profiler.sweep(str(output)).to_pandas()["size_bytes"].tolist()[:7] == [w * 4 * 4 for w in range(1, 8)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("zoo.parquet", b"PAR1 no", "cannot be read as a sweep"),
        ("zoo.csv", b"a,b\n1,2\n", "it has no columns model and status"),
        ("zoo.csv", b"model,status,macs\na,ok,many\n", "its column macs has 'many'"),
        ("zoo.jsonl", b"{}\n", "line 1 is none of a sweep's"),
        ("zoo.jsonl", b"", "its first line does not say what was asked for"),
    ],
)
def test_what_is_no_sweep_is_an_error_of_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ProfileError) as caught:
        profiler.sweep(str(path))
    assert says in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for suffix in ("parquet", "csv", "jsonl"):
        with pytest.raises(ProfileError, match="is not a file"):
            profiler.sweep(str(tmp_path / f"none.{suffix}"))
