"""Files of predictions: what says the same in CSV, Parquet and NPZ, and what is refused in one line."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from profiler import score
from profiler.answers.score.compute import ModelScores
from profiler.answers.score.predictions import are_in, in_order
from tests.shell import run

LABELS, PREDICTIONS = ["cat", "dog", "cow", "cat"], ["cat", "cat", "cow", "cat"]
SCORES = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6], [0.9, 0.1, 0.0]]  # of cat, dog, cow


def only(path: Path) -> ModelScores:
    (one,) = score(path).models
    assert isinstance(one, ModelScores)
    return one


def csv_text(columns: dict[str, list[Any]], between: str = ",") -> str:
    rows = zip(*columns.values(), strict=True)
    return "\n".join(between.join(map(str, row)) for row in [tuple(columns), *rows])


# What says the same ---------------------------------------------------------------------------------------------------

BY_CLASS = {name: [row[i] for row in SCORES] for i, name in enumerate(("cat", "dog", "cow"))}
PREFIXED = {f"score_{name}": values for name, values in BY_CLASS.items()}


def _csv(path: Path, columns: dict[str, list[Any]]) -> None:
    path.write_text(csv_text(columns))


def _parquet(path: Path, columns: dict[str, list[Any]]) -> None:
    parquet.write_table(pa.table(columns), path)


def _npz(path: Path, columns: dict[str, list[Any]]) -> None:
    np.savez(path, **{name: np.array(values) for name, values in columns.items()})


WRITERS: dict[str, Callable[[Path, dict[str, list[Any]]], None]] = {"csv": _csv, "parquet": _parquet, "npz": _npz}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("columns", [
    {"label": LABELS, "prediction": PREDICTIONS},
    {"Labels": LABELS, "PREDICTIONS": PREDICTIONS},
    {"label": LABELS, **PREFIXED},
    {"label": LABELS, **BY_CLASS},
    {"label": LABELS, "prediction": PREDICTIONS, "weight": [1, 1, 1, 1]},
])  # fmt: skip
def test_the_same_predictions(suffix: str, columns: dict[str, list[Any]], tmp_path: Path) -> None:
    path = tmp_path / f"p.{suffix}"
    WRITERS[suffix](path, columns)
    one = only(path)
    assert one.accuracy == 3 / 4
    assert one.classes == ("cat", "cow", "dog")
    assert one.confusion == ((2, 0, 0), (0, 1, 0), (1, 0, 0))
    assert one.has_scores == (len(columns) > 3)
    assert are_in(str(path))


def test_a_table_of_scores_in_numpys_format(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "p.npz", labels=LABELS, scores=np.array(SCORES), classes=["cat", "dog", "cow"])
    assert only(tmp_path / "p.npz").confusion == ((2, 0, 0), (0, 1, 0), (1, 0, 0))
    np.savez(tmp_path / "p.npz", labels=[0, 1, 2, 0], scores=np.asfortranarray(SCORES, np.float32))
    assert only(tmp_path / "p.npz").confusion == ((2, 0, 0), (1, 0, 0), (0, 0, 1))


@pytest.mark.parametrize("labels", [[0, 1, 1], [0.0, 1.0, 1.0], ["0", "1", "1"], [" 0", "1.0", "1."]])
@pytest.mark.parametrize("suffix", WRITERS)
def test_whole_numbers_are_one_label_however_they_are_written(labels: list[Any], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"p.{suffix}"
    WRITERS[suffix](path, {"label": labels, "prediction": [0, 1, 0]})
    assert only(path).classes == ("0", "1")
    assert only(path).accuracy == 2 / 3


@pytest.mark.parametrize("content", [
    "label;prediction\n1;1\n0;1\n".encode("utf-8-sig"),
    b"label\tprediction\tnote\r\n1\t1\t\r\n\r\n0\t1\tx\r\n",
    b'"label","prediction"\n"1","1"\n"0","1"',
])  # fmt: skip
def test_ways_to_write_csv(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(content)
    assert only(tmp_path / "p.csv").confusion == ((0, 1), (0, 1))


def test_columns_that_say_nothing_are_named(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,label,prediction,path\n7,1,1,x\n8,0,1,y\n")
    assert "Columns not used: id, path." in only(tmp_path / "p.csv").notes


def test_a_model_may_be_called_as_a_number_with_a_fraction(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("model,label,prediction\n3.5,a,a\n3.7,a,a\n")
    assert [one.model for one in score(tmp_path / "p.csv").models] == ["3.5", "3.7"]


def test_several_models_in_a_file(tmp_path: Path) -> None:
    """Each has the classes that its own rows have."""
    (tmp_path / "p.csv").write_text("model,label,prediction\na,x,x\nb,x,y\na,y,y\nb,y,z\n")
    first, second = score(tmp_path / "p.csv").models
    assert (first.model, second.model) == ("a", "b")
    assert isinstance(first, ModelScores)
    assert isinstance(second, ModelScores)
    assert (first.accuracy, second.accuracy) == (1, 0)
    assert first.classes == ("x", "y")
    assert second.classes == ("x", "y", "z")


def test_a_prediction_that_is_no_label(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("label,prediction\na,a\nb,c\n")
    one = only(tmp_path / "p.csv")
    assert one.by_class[2].recall is None
    assert "Recall of classes that no label has is not defined, and left out of averages: c." in one.notes


@pytest.mark.parametrize(
    ("names", "expected"),
    [({"10", "9", "-1"}, ("-1", "9", "10")), ({"10", "9", "b"}, ("10", "9", "b")), ({"9" * 30, "1"}, ("1", "9" * 30))],
)
def test_the_order_of_classes(names: set[str], expected: tuple[str, ...]) -> None:
    assert in_order(names) == expected


METRICS = ("model,accuracy\nresnet18,0.7", "label,accuracy\nresnet18,0.7", "score,loss\n1,2", "", "label\na\n")


@pytest.mark.parametrize("text", METRICS)
def test_a_table_of_metrics_is_none_of_predictions(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    assert not are_in(str(tmp_path / "m.csv"))


# What is refused ------------------------------------------------------------------------------------------------------


def claims(shape: str, descr: str = "'<f8'", content: bytes = b"\0" * 16) -> bytes:
    """An archive with labels whose header claims a shape, whatever the content."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content)
    return file.getvalue()


def pickled() -> bytes:
    """Objects that would run a command where they were loaded."""

    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (Path("loaded"),))

    file = io.BytesIO()
    np.savez(file, labels=np.array([Runs()], dtype=object), predictions=[1])
    return file.getvalue()


def arrays(**named: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **named)
    return file.getvalue()


def table(columns: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


ZEROS = np.zeros(20_000_000, np.int8)
HEAD = b"label,prediction\n"
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("csv", b"", "it is empty"),
    "blank lines": ("csv", b"\n \n\n", "it is empty"),
    "a header alone": ("csv", HEAD, "it has no row under its header"),
    "no header": ("csv", b"1,0\n0,0\n", "it has no column 'label', but '1', '0'"),
    "other columns": ("csv", b"y,yhat\n0,0\n", "it has no column 'label', but 'y', 'yhat'"),
    "labels alone": ("csv", b"label,id\n0,1\n1,2\n", "it has no column 'prediction' and none of scores"),
    "a column twice": ("csv", b"label,prediction,label\n0,0,0\n", "two of its columns are called 'label'"),
    "a column in two forms": ("csv", b"label,labels,prediction\n0,0,0\n", "'label' and 'labels' mean the same"),
    "a label missing": ("csv", HEAD + b"1,1\n,1\n", "row 2 has no label"),
    "a label that is NaN": ("csv", HEAD + b"1,1\nnan,1\n", "row 2 has no label"),
    "a prediction missing": ("csv", HEAD + b"1,1\n1,\n", "row 2 has no prediction"),
    "a cell too few": ("csv", HEAD + b"1,1\n1\n", "line 3 has 1 cell and the header 2; give each line as many"),
    "a cell too many": ("csv", HEAD + b"1,1,2\n", "line 2 has 3 cells and the header 2"),
    "an open quote": ("csv", HEAD + b'1,"1\n', "unexpected end of data; close each quote"),
    "UTF-16": ("csv", HEAD.decode().encode("utf-16"), "invalid start byte; save it as UTF-8"),
    "Latin-1": ("csv", HEAD + "é,é\n".encode("latin-1"), "; save it as UTF-8"),
    "a NUL": ("csv", b"label,predic\0tion\n1,1\n", "it has no column 'prediction'"),
    "a score that is text": ("csv", b"label,score\n1,0.2\n0,high\n", "row 2 has 'high' as its score"),
    "a score that is infinite": ("csv", b"label,score\n1,0.2\n0,inf\n", "which is no finite number; fill it in, or"),
    "a weight below 0": ("csv", b"label,prediction,weight\n1,1,-1\n", "below 0, or all are 0; give weights"),
    "a fraction": ("csv", HEAD + b"1,1\n0,5e-1\n", "row 2 has 5e-1 as its prediction, and a class is"),
    "no class in common": ("csv", HEAD + b"a,0\nb,1\n", "no prediction is one of the labels, which are 'a', 'b'"),
    "no probabilities": ("csv", b"label,score\n1,3.2\n0,-1\n", "p.csv: the scores go from -1 to 3.2"),
    "a class without scores": ("csv", b"label,score_a,score_b\na,1,0\nc,1,0\n", "its label 'c' has no column"),
    "65,537 classes": (
        "csv", HEAD + b"".join(b"%d,0\n" % i for i in range(65_537)), "65,537 labels that differ, and 65,536"
    ),
    "70,000 columns": ("csv", b",".join(b"c%d" % i for i in range(70_000)) + b"\n1", "70,000 columns, and 65,536"),
    "no zip": ("npz", b"PK\x03\x04 and nothing", "(File is not a zip file); write it again with numpy"),
    "half a zip": ("npz", arrays(labels=[0, 1], predictions=[0, 1])[:300], "its zip cannot be read"),
    "a claim of 2 GB": ("npz", claims(f"({1 << 28},)"), "takes 2,147,483,648 bytes by its shape, and has 16"),
    "a claim of 2^80 bytes": ("npz", claims("(1208925819614629174706176,)"), "bytes by its shape, and has 16"),
    "a negative shape": ("npz", claims("(-2,)"), "by its shape, and has 16"),
    "a header that is code": ("npz", claims("(2,)", "__import__('os')"), "is no array of numpy's"),
    "pickled objects": ("npz", pickled(), "holds pickled objects, which are code and were not loaded"),
    "two fields": ("npz", arrays(label=np.zeros(2, "i4,f4"), prediction=[0, 1]), "neither a text nor a number"),
    "complex labels": ("npz", arrays(label=[1j, 2], prediction=[0, 1]), "neither a text nor a number"),
    "labels in two dimensions": ("npz", arrays(label=np.eye(2), prediction=[0, 1]), "its label has the shape 2×2"),
    "a label for all": ("npz", arrays(label=np.array(1), prediction=[0, 1]), "has the shape of one value"),
    "labels too few": ("npz", arrays(label=[1], prediction=[0, 1]), "it has 1 label, and 2 values in another column"),
    "scores in three dimensions": ("npz", arrays(label=[1], scores=np.zeros((1, 2, 2))), "scores have 3 dimensions"),
    "classes too few": ("npz", arrays(label=["a"], scores=[[1, 0]], classes=["a"]), "2 columns, and its classes are 1"),
    "no Parquet": ("parquet", b"PAR1 and nothing more PAR1", "its Parquet cannot be read"),
    "nulls": ("parquet", table({"label": [1, None], "prediction": [1, 1]}), "are missing; fill it in, or leave out"),
    "lists": ("parquet", table({"label": [[1], [2]], "prediction": [1, 1]}), "of type list<element: int64>"),
    "times": ("parquet", table({"label": np.array([1], "M8[s]"), "prediction": [1]}), "neither a text nor a number"),
    "20 million rows in few bytes": ("parquet", table({"label": ZEROS, "prediction": ZEROS}), "is refused: more than"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    suffix, content, says = REFUSED[name]
    Path(f"p.{suffix}").write_bytes(content)
    status, out, err = run(capsys, "score", f"p.{suffix}")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith((f"profile-model: p.{suffix} ", f"profile-model: p.{suffix}: "))
    assert says in err
    assert not Path("loaded").exists()


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("predictions.csv").write_text("label,prediction\n1,1\n")
    for argv, says in {
        ("prediction.csv",): "prediction.csv is not a file; did you mean predictions.csv?",
        ("m=gone.csv",): "gone.csv is not a file",
        (".",): ". is a folder; give that of the true edges behind it, as .,TRUTH",
        (): "no file is given; name one, like profile-model score predictions.csv",
    }.items():
        status, out, err = run(capsys, "score", *argv)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert says in err
