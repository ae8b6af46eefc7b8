"""`profile-model score`: its tables in every format, its figure, and scores that join comparisons."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from profiler import ProfileError, compare, profile, score
from profiler.render import FORMATS
from tests.hostile_names import CHECKS, HOSTILE, assert_harmless
from tests.shell import rows, run

SPAM = "label,prediction,score\n" + "spam,spam,0.9\nspam,ham,0.4\nham,ham,0.1\nham,ham,0.35\nham,spam,0.8\n"
ALWAYS_NO = "label,prediction\n" + "no,no\n" * 199 + "yes,no\n"
THREE = "label,prediction\na,a\nb,b\nc,b\n"
TWO_MODELS = "model,label,prediction\none,1,1\none,0,0\ntwo,1,1\ntwo,0,1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"spam": SPAM, "no": ALWAYS_NO, "three": THREE, "models": TWO_MODELS}.items():
        Path(f"{name}.csv").write_text(text)
    Path("maps").mkdir()
    Path("truth").mkdir()
    Path("net.py").write_text("from torch import nn\ndef net(width=4): return nn.Linear(8, width)\n")
    return tmp_path


def test_the_tables_of_two_classes(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "score", "spam.csv")
    assert (status, err) == (0, "")
    assert out == (
        "Model     Samples  Accuracy  Precision  Recall  Specificity      F1   AUROC      AP\n"
        "--------  -------  --------  ---------  ------  -----------  ------  ------  ------\n"
        "spam.csv        5    0.6000     0.5000  0.5000       0.6667  0.5000  0.8333  0.8333\n\n"
        "Positive is 'spam'.\n\n"
        "spam.csv: labels (rows) and predictions (columns)\n\n"
        "Label  ham  spam\n-----  ---  ----\nham      2     1\nspam     1     1\n\n"
        "spam.csv: precision and recall\n\n"
        "Threshold  Precision  Recall       F1\n"
        "---------  ---------  ------  -------\n"
        "   0.1000     0.4000  1.0000  0.5714\n"
        "   0.3500     0.5000  1.0000  0.6667\n"
        "   0.4000     0.6667  1.0000  0.8000*\n"
        "   0.8000     0.5000  0.5000  0.5000\n"
        "   0.9000     1.0000  0.5000  0.6667\n\n"
        "Best F1  0.8000  from a score of 0.4 on\n\n"
        "Shown are 5 of 5 thresholds.\n"
    )


def test_the_accuracy_paradox(capsys: pytest.CaptureFixture[str]) -> None:
    """Always "no" is right of 199 in 200, and finds nothing: what is not defined is a dash, and is not 0."""
    out = run(capsys, "score", "no.csv")[1]
    assert "no.csv      200    0.9950          –  0.0000       1.0000  0.0000" in out
    assert "Precision is not defined: 'yes' was never predicted." in out
    (row,) = rows(capsys, "score", "no.csv")
    assert (row["accuracy"], row["precision"], row["recall"]) == ("0.995", "", "0.0")
    (one,) = json.loads(run(capsys, "score", "no.csv", "--format", "json")[1])["models"]
    assert (one["whole"]["precision"], one["confusion"]) == (None, [[199, 0], [1, 0]])


def test_tables_are_chosen_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "score", "three.csv", "--show", "confusion,scores")[1]
    assert out.index("Label") < out.index("Accuracy")
    assert "macro" not in out
    assert [row["count"] for row in rows(capsys, "score", "three.csv", "--show", "confusion")] == [
        f"{count}" for count in (1, 0, 0, 0, 1, 0, 0, 1, 0)
    ]
    classes = rows(capsys, "score", "three.csv", "--show", "classes")
    assert [row["class"] for row in classes] == ["macro", "micro", "weighted", "a", "b", "c"]
    points = rows(capsys, "score", "spam.csv", "--show", "curve")
    assert [row["threshold"] for row in points] == ["0.1", "0.35", "0.4", "0.8", "0.9"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("three.csv", "--show", "curve"), "--show curve: there is none here, for a curve is of scores of two classes"),
        (("spam.csv", "--show", "classes"), "--show classes: there is none here"),
        (("three.csv", "-o", "c.pdf"), "a curve is precision against recall over thresholds of a score"),
        (("spam.csv", "--threshold", "high"), "--threshold high: not a number"),
        (("spam.csv", "--format", "pdf"), "say where it goes, --output FILE.pdf"),
        (("x=models.csv",), "models.csv says which models its predictions are of, so x= cannot"),
        (("models.csv", "--positive", "2"), "models.csv, one: --positive 2: no label is called so; choose from 0, 1"),
        (("spam.csv", "--tolerance", "0.1"), "--tolerance is about maps of edges, and there are none here; leave it"),
        (("spam.csv", "--beta", "0"), "profile-model: --beta 0: F-beta takes a number above 0"),
        (("spam.csv", "spam.csv"), "spam.csv is given twice; leave one out, or name each, as A=spam.csv B=spam.csv"),
        (("a=spam.csv", "a=spam.csv"), "spam.csv is given twice; leave one out"),
        (("maps", "nope"), "maps is a folder and nope does not exist; give the folder of maps and that of their true"),
        (("nope", "x=maps"), "maps is a folder and nope does not exist"),
        (("maps,truth", "--positive", "1"), "--positive is about classes, and here are maps of edges alone; leave it"),
        (("maps,truth", "--top-k", "1"), "--top-k is about classes, and here are maps of edges alone"),
    ],
)
def test_what_cannot_be(argv: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "score", *argv)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_what_can_be_scored_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside a file that cannot."""
    status, out, err = run(capsys, "score", "spam.csv", "absent.csv", "--show", "scores")
    assert status == 2
    assert "spam.csv        5" in out
    assert err == "profile-model: absent.csv is not a file; give the path of one that exists\n"


def test_rows_of_one_name_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    Path("more.csv").write_text("model,label,prediction\ntwo,1,1\n")
    found = rows(capsys, "score", "models.csv", "more.csv", "a=spam.csv", "b=spam.csv")
    assert [row["model"] for row in found] == ["one", "two (models.csv)", "two (more.csv)", "a", "b"]


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_the_figure(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "score", "a=spam.csv", "b=spam.csv", "-o", f"curve.{suffix}", "--title", "T") == (0, "", "")
    assert len(Path(f"curve.{suffix}").read_bytes()) > 5000
    chart = score({"a": "spam.csv"}).chart
    (curve,) = chart.curves
    assert (curve.name, curve.best, curve.f1) == ("a", (2 / 2, 2 / 3), pytest.approx(2 * 2 / (3 + 2)))
    score("spam.csv").plot(f"again.{suffix}")
    assert Path(f"again.{suffix}").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_names_do_no_harm(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels, models and columns that somebody else chose; few, so that the matrix is shown, and many."""
    names = [name.replace("\0", "").replace("\ud800", "") for name in HOSTILE]
    for few in (names[:10], names):
        with Path("h.csv").open("w", newline="", encoding="utf-8") as file:
            written = csv.writer(file)
            written.writerow(["label", "prediction", "model", names[0], names[3]])
            written.writerows([label, few[i // 2], names[i % 2], "x", "y"] for i, label in enumerate(few))
        for shown in ("scores,classes,confusion", "confusion", "classes"):
            status, out, err = run(capsys, "score", "h.csv", "--show", shown, "--format", format)
            assert (status, err) == (0, "")
            assert_harmless(out)
            CHECKS.get(format, assert_harmless)(out)


def test_many_classes_are_shown_in_part(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 60, (2, 400))
    np.savez("many.npz", label=labels, prediction=predictions)
    out = run(capsys, "score", "many.npz")[1]
    assert "Shown are the 50 of 60 classes with the lowest F1; --top has more." in out
    assert "Shown are the 20 most frequent of" in out
    assert "lowest F1" not in run(capsys, "score", "many.npz", "--top", "60")[1]
    assert len(rows(capsys, "score", "many.npz", "--show", "confusion")) == 60 * 60
    assert len(rows(capsys, "score", "many.npz", "--show", "classes")) == 3 + 60


# In comparisons -------------------------------------------------------------------------------------------------------

NETS = ("net.py:net", "net.py:net(width=8)", "--label", "one", "--label", "two", "--input", "1x8")


def test_scores_join_by_the_column_of_models(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, *NETS, "--metrics", "models.csv")
    assert [(row["model"], row["accuracy"], row["precision"]) for row in found] == [
        ("one", "1.0000", "1.0000"),
        ("two", "0.5000", "0.5000"),
    ]
    out = run(capsys, *NETS, "--metrics", "models.csv", "--bold", "accuracy")[1]
    assert "one: scores of models.csv, 2 samples. Positive is '1'." in out
    assert "1.0000*" in out


def test_scores_join_by_a_file_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    """And a score that is not defined is not known."""
    found = rows(capsys, *NETS, "--metrics", "one=spam.csv", "--metrics", "two=no.csv")
    assert [(row["accuracy"], row["precision"], row["auroc"]) for row in found] == [
        ("0.6000", "0.5000", "0.8333"),
        ("0.9950", "", ""),
    ]
    assert rows(capsys, "net.py:net", "--input", "1x8", "--metrics", "spam.csv")[0]["f1"] == "0.5000"


def test_a_score_that_is_not_defined_is_a_dash_and_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    """And not known where a model has no scores: a question mark."""
    Path("own.csv").write_text("model,label,prediction\none,no,no\none,yes,no\n")
    shown = ("--columns", "model,accuracy,precision,recall,f1")
    out = run(capsys, *NETS, "--metrics", "own.csv", *shown, "--sort", "precision")[1]
    assert [line.split() for line in out.splitlines()[:4:2]] == [
        ["Model", "accuracy", "precision", "recall", "f1"],
        ["one", "0.5000", "–", "0.0000", "0.0000"],
    ]
    assert out.splitlines()[3].split() == ["two", "?", "?", "?", "?"]
    compared = compare([profile("net.py:net", "1x8")] * 2, labels=["one", "two"], metrics="own.csv")
    assert compared.metric_names == ("accuracy", "precision", "recall", "specificity", "f1")
    assert compared.to_pandas()["precision"].isna().all()
    first, second = json.loads(compared.to_json())
    assert (first["metrics"]["precision"], second["metrics"]) == (None, {})
    assert rows(capsys, *NETS, "--metrics", "own.csv")[0]["precision"] == ""


def test_columns_of_scores_have_one_order(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.csv").write_text("model,label,prediction,score\none,0,0,0.1\none,1,0,0.6\ntwo,1,1,0.9\ntwo,0,0,0.2\n")
    names = ["accuracy", "precision", "recall", "specificity", "f1"]
    assert list(rows(capsys, *NETS, "--metrics", "own.csv")[0])[-7:] == [*names, "auroc", "average_precision"]
    Path("rare.csv").write_text("label,prediction\n0,0\n")
    found = rows(capsys, "score", "rare.csv", "own.csv", "--beta", "2")
    assert list(found[0]) == ["model", "samples", *names, "fbeta", "auroc", "average_precision"]
    assert list(rows(capsys, "score", "three.csv", "rare.csv")[0]) == [
        "model", "samples", *names, "macro_precision", "macro_recall", "macro_specificity", "macro_f1",
    ]  # fmt: skip


def test_models_that_are_not_compared_have_no_notes(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.csv").write_text("model,label,prediction\none,1,1\ntow,1,1\n")
    out = run(capsys, *NETS, "--metrics", "own.csv")[1]
    assert "own.csv has scores of tow, which is not compared here; check how it is spelt." in out
    assert "one: scores of own.csv, 1 sample. Positive is '1'." in out
    assert "tow: " not in out


def test_a_sweep_has_the_notes_and_columns_of_a_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    small, large = "net.py:net(width=2)", "net.py:net(width=3)"
    Path("own.csv").write_text(f"model,label,prediction\n{small},no,no\n{small},yes,no\n{large},no,no\nx,no,no\n")
    argv = ("sweep", small, large, "--input", "1x8", "--metrics", "own.csv")
    out = run(capsys, *argv, "-o", "zoo.csv")[1] + run(capsys, *argv, "--sort", "macs", "--top", "1")[1]
    assert "own.csv has scores of x, which is not compared here; check how it is spelt." in out
    assert f"{large}: scores of own.csv, 1 sample. Positive is 'yes'. Precision is not defined" in out
    assert f"{small}: scores" not in out  # whose row is not shown
    (heading, _, row) = (line.split() for line in out.splitlines()[:3])
    assert heading[1:6] == ["accuracy", "precision", "recall", "specificity", "f1"]
    assert row[1:6] == ["1.0000", "–", "–", "1.0000", "–"]
    out = run(capsys, "sweep", "zoo.csv", "--columns", "model,accuracy,precision")[1]
    assert [line.split()[1:] for line in out.splitlines()[2:4]] == [["0.5", "?"], ["1.0", "?"]]


def test_an_ablation_shows_scores_alike(capsys: pytest.CaptureFixture[str]) -> None:
    Path("deep.py").write_text("from torch import nn\ndef net(): return nn.Sequential(nn.Linear(8, 8), nn.ReLU())\n")
    argv = ("ablate", "deep.py:net", "--input", "1x8", "--without", "1", "--metrics", "deep.py:net=no.csv")
    shown = ("--columns", "model,accuracy,precision")
    lines = run(capsys, *argv, *shown)[1].splitlines()
    assert lines[2].split()[1:] == ["0.9950", "–"]
    assert lines[3].split()[-2:] == ["?", "?"]
    assert rows(capsys, *argv, *shown)[0]["precision"] == ""


def test_a_table_of_scores_joins_as_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """So that other rules than the usual ones join, too."""
    assert run(capsys, "score", "one=spam.csv", "--threshold", "0.4", "-o", "scores.csv")[0] == 0
    assert rows(capsys, *NETS, "--metrics", "scores.csv")[0]["recall"] == "1.0"


def test_scores_are_an_axis(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("plot", *NETS, "--metrics", "one=spam.csv", "--metrics", "two=no.csv", "--x", "params", "--y", "f1")
    assert [(row["model"], row["f1"]) for row in rows(capsys, *argv)] == [("one", "0.5000"), ("two", "0.0000")]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (
            ("spam.csv",),
            "spam.csv does not say which model its predictions are of, and there are 2; write one=spam.csv",
        ),
        (("three=spam.csv",), "three=spam.csv has no row for any of the models: it has three, and they are one, two"),
        (("one=gone.csv",), "one=gone.csv cannot be read as metrics: No such file or directory"),
    ],
)
def test_whose_predictions_they_are_has_to_be_known(
    argv: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *NETS, "--metrics", *argv)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_in_python() -> None:
    small = profile("net.py:net", "1x8")
    compared = compare([small, small], labels=["one", "two"], metrics=["one=spam.csv", {"two": {"f1": 0.25}}])
    assert [str(entry.metrics["f1"]) for entry in compared] == ["0.5000", "0.25"]
    frame = score({"a": "spam.csv", "b": "no.csv"}).to_pandas()
    assert list(frame["model"]) == ["a", "b"]
    assert frame["accuracy"].tolist() == [0.6, 0.995]
    assert frame["precision"].isna().tolist() == [False, True]
    confusions = score("spam.csv", show=["confusion"]).to_pandas()
    assert confusions["count"].tolist() == [2, 1, 1, 1]


def test_what_holds_labels_in_python() -> None:
    import pandas as pd
    import torch

    for labels, predictions in (
        ([1, 0, 1], [1, 0, 0]),
        (torch.tensor([1, 0, 1]), torch.tensor([1, 0, 0])),
        (pd.Series([True, False, True]), np.array([True, False, False])),
        (pd.Series(["yes", "no", "yes"]), pd.Series(["yes", "no", "no"], dtype="category")),
    ):
        assert score(labels, predictions).models[0].confusion == ((1, 0), (1, 1))  # type: ignore[union-attr]


def test_tensors_with_gradients() -> None:
    import torch

    scores = torch.tensor([0.3, 0.9], requires_grad=True)
    for held in (scores, list(scores), scores.to(torch.bfloat16), tuple(scores.tolist())):
        (one,) = score(torch.tensor([1, 0]), scores=held).models
        assert one.curve is not None
        assert one.auroc == 0  # type: ignore[union-attr]


def test_rules_in_python_are_about_what_is_scored() -> None:
    for arguments, says in (
        ({"labels": "spam.csv", "tolerance": 0.1}, "--tolerance is about maps of edges"),
        ({"labels": {"a": "maps,truth"}, "threshold": 0.1}, "--threshold is about classes, and here are maps"),
        ({"labels": "spam.csv", "predictions": [1, 0]}, "a file has its own column 'prediction'; give labels in its"),
        ({"labels": "p", "predictions": [1], "model": "x"}, "a file has its own column"),
    ):
        with pytest.raises(ProfileError, match=says):
            score(**arguments)  # type: ignore[arg-type]


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    for name, path, says in (
        ("sklearn.metrics", "spam.csv", "scikit-learn is not installed; pip install scikit-learn"),
        ("pyarrow", "p.parquet", "pyarrow is not installed; pip install pyarrow"),
    ):
        monkeypatch.setitem(sys.modules, name, None)
        Path("p.parquet").touch()
        assert run(capsys, "score", path) == (2, "", f"profile-model: {says}\n")
    with pytest.raises(ProfileError, match="pip install scikit-learn"):
        score([0, 1], [0, 1])


def test_torch_is_not_imported() -> None:
    import subprocess
    import sys

    code = "import sys; from profiler.cli.main import main; main(['score', 'spam.csv']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


def test_the_frame_of_a_csv(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "score", "spam.csv", "--format", "csv")[1]
    assert next(csv.DictReader(io.StringIO(out))).keys() == set(score("spam.csv").to_pandas().columns)
