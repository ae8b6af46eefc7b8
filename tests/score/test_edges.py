"""ODS and OIS of maps that were made by hand, with every count written out."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from profiler import ProfileError, score
from profiler.answers.score.compute import EdgeScores
from profiler.answers.score.edges import Counts, matched

SIZE = 20  # pixels: within 0.05 of the diagonal, which is 28.28, are neighbours to the side, and at a corner (1.41)
NEAR = 0.05


def written(path: Path, strength: dict[tuple[int, int], float], size: tuple[int, int] = (SIZE, SIZE)) -> None:
    """A grey image with these pixels."""
    pixels = np.zeros(size, np.uint8)
    for place, value in strength.items():
        pixels[place] = round(255 * value)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def line(row: int, first: int, last: int, value: float = 1.0) -> dict[tuple[int, int], float]:
    return {(row, column): value for column in range(first, last)}


def scored(folder: Path, tolerance: float = NEAR) -> EdgeScores:
    (one,) = score(f"{folder / 'maps'},{folder / 'truth'}", tolerance=tolerance).models
    assert isinstance(one, EdgeScores)
    return one


@pytest.fixture
def two_images(tmp_path: Path) -> Path:
    """Image a: a true line of 10 pixels; 10 strong predicted ones a row below it, and 5 weak ones elsewhere.

    Image b: a true line of 10 pixels; 4 weak predicted ones on it, and 6 weaker ones elsewhere.
    """
    written(tmp_path / "truth" / "a.png", line(5, 2, 12))
    written(tmp_path / "maps" / "a.png", line(6, 2, 12, 0.8) | line(15, 2, 7, 0.4))
    written(tmp_path / "truth" / "b.png", line(5, 2, 12))
    written(tmp_path / "maps" / "b.png", line(5, 2, 6, 0.4) | line(15, 2, 8, 0.2))
    return tmp_path


def test_one_threshold_for_all_and_one_for_each(two_images: Path) -> None:
    """By threshold t, matched and predicted pixels; 20 are true.

    t <= 0.2: a 10 of 15, b 4 of 10: precision 14/25, recall 14/20, F1 2·14/(25 + 20) = 28/45
    t <= 0.4: a 10 of 15, b 4 of 4:  precision 14/19, recall 14/20, F1 2·14/(19 + 20) = 28/39
    t <= 0.8: a 10 of 10, b 0 of 0:  precision 10/10, recall 10/20, F1 2·10/(10 + 20) = 20/30

    ODS is 28/39, and the first threshold of it 0.21. Of a alone the best is t <= 0.8, of b alone t <= 0.4; together
    14 of 14 predicted ones are right and 14 of 20 found: OIS is 2·14/(14 + 20) = 28/34.
    """
    one = scored(two_images)
    assert one.images == 2
    assert one.ods is not None
    assert one.ois is not None
    assert one.curve is not None
    assert (one.ods.threshold, one.ods.f1) == pytest.approx((0.21, 28 / 39))
    assert (one.ods.precision, one.ods.recall) == pytest.approx((14 / 19, 14 / 20))
    assert (one.ois.precision, one.ois.recall, one.ois.f1) == pytest.approx((14 / 14, 14 / 20, 28 / 34))
    f1 = {point.threshold: point.f1 for point in one.curve.points}
    assert [f1[t] for t in (0.01, 0.2, 0.21, 0.4, 0.41, 0.8)] == pytest.approx(
        [28 / 45, 28 / 45, 28 / 39, 28 / 39, 20 / 30, 20 / 30]
    )
    assert max(f1) == 0.8  # above it nothing is predicted


def test_a_row_off_is_wrong_without_tolerance(two_images: Path) -> None:
    """Then of a nothing is matched: at t <= 0.4 4 of 19 are right, and 4 of 20 found."""
    ods = scored(two_images, tolerance=0).ods
    assert ods is not None
    assert ods.f1 == pytest.approx(2 * 4 / (19 + 20))


def test_a_pixel_is_matched_once(tmp_path: Path) -> None:
    """Two predicted lines beside one true one: half of their pixels are right; thinning leaves lines that are apart."""
    written(tmp_path / "truth" / "a.png", line(5, 2, 12))
    written(tmp_path / "maps" / "a.png", line(4, 2, 12) | line(6, 2, 12))
    ods = scored(tmp_path).ods
    assert ods is not None
    assert (ods.precision, ods.recall) == pytest.approx((10 / 20, 10 / 10))


def test_thick_lines_are_thinned(tmp_path: Path) -> None:
    written(tmp_path / "truth" / "a.png", line(5, 2, 18))
    written(tmp_path / "maps" / "a.png", line(4, 2, 18) | line(5, 2, 18) | line(6, 2, 18))
    ods = scored(tmp_path).ods
    assert ods is not None
    assert ods.precision == 1  # of 3·16 pixels two thirds would be wrong
    assert 12 / 16 <= ods.recall <= 1  # its ends are eaten


def test_several_annotators(tmp_path: Path) -> None:
    """One drew the upper line, another both: 10 predicted ones are right by either; 20 of 10 + 20 are found."""
    written(tmp_path / "truth" / "a" / "1.png", line(5, 2, 12))
    written(tmp_path / "truth" / "a" / "2.png", line(5, 2, 12) | line(15, 2, 12))
    written(tmp_path / "maps" / "a.png", line(5, 2, 12) | line(10, 2, 7))
    ods = scored(tmp_path).ods
    assert ods is not None
    assert (ods.precision, ods.recall) == pytest.approx((10 / 15, 20 / 30))


def test_where_nothing_is_true_or_predicted(tmp_path: Path) -> None:
    written(tmp_path / "truth" / "a.png", {})
    written(tmp_path / "maps" / "a.png", line(5, 2, 12))
    assert scored(tmp_path).notes[1] == "ODS and OIS are not defined: no truth has an edge."
    written(tmp_path / "truth" / "a.png", line(5, 2, 12))
    written(tmp_path / "maps" / "a.png", {})
    one = scored(tmp_path)
    assert (one.ods, one.ois, one.curve) == (None, None, None)
    assert one.notes[1] == "ODS and OIS are not defined: no map has an edge at any threshold."


def test_the_matching_is_a_largest_one() -> None:
    """Greedily, the pixel at 1 would take the one at 0, and leave none for the pixel at 0."""
    pixels, others = np.array([[0, 1], [0, 0]]), np.array([[0, 0], [0, 2]])
    assert matched(pixels, others, 1.0).tolist() == [True, True]
    assert matched(pixels, others[:1], 1.0).sum() == 1
    assert matched(pixels, others[:0], 1.0).tolist() == [False, False]


def test_f1_of_counts_is_of_precision_and_recall() -> None:
    assert Counts(3, 4, 6, 9).f1 == pytest.approx(2 / (4 / 3 + 9 / 6))
    assert Counts(0, 4, 0, 9).f1 == Counts().f1 == 0


@pytest.mark.parametrize("mode", ["16 bits", "a bit", "three alike"])
def test_kinds_of_images(mode: str, tmp_path: Path) -> None:
    written(tmp_path / "truth" / "a.png", line(5, 2, 12))
    grey = np.zeros((SIZE, SIZE), np.uint8)
    grey[5, 2:12] = 255
    made = {"16 bits": grey.astype(np.uint16) * 257, "a bit": grey > 0, "three alike": np.stack([grey] * 3, axis=2)}
    (tmp_path / "maps").mkdir()
    Image.fromarray(made[mode]).save(tmp_path / "maps" / "a.png")
    ods = scored(tmp_path).ods
    assert ods is not None
    assert ods.f1 == 1


def test_what_cannot_be(tmp_path: Path) -> None:
    maps, truth = tmp_path / "maps" / "a.png", tmp_path / "truth" / "a.png"
    written(truth, line(5, 2, 12))
    written(maps, line(5, 2, 12), (SIZE, SIZE + 1))
    refuse(tmp_path, "a.png has 21×20 pixels, and .*a.png 20×20; give maps of the size of their truth")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), np.uint8)).save(maps)
    refuse(tmp_path, "it has colours; give a grey image")
    maps.write_bytes(b"\x89PNG\r\n\x1a\nno image")
    refuse(tmp_path, "cannot be read as a map of edges")
    maps.unlink()
    refuse(tmp_path, "has no map for 1 of 1 images: a; name each as the image of its truth")
    written(maps, {})
    written(truth, line(5, 2, 12, 0.5) | line(6, 2, 12))
    refuse(tmp_path, "it has 3 greys, and a truth is 0 or an edge")
    truth.unlink()
    refuse(tmp_path, "truth has no image; put one a map there")
    with pytest.raises(ProfileError, match=r"--tolerance 0.2: it is a share of the diagonal, from 0 to 0.1"):
        scored(tmp_path, tolerance=0.2)
    with pytest.raises(ProfileError, match="maps is a folder; give that of the true edges behind it"):
        score(tmp_path / "maps")


def refuse(folder: Path, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        scored(folder)


def test_noise_is_too_much_to_be_matched(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((600, 600)) < 0.3
    for name in ("maps", "truth"):
        (tmp_path / name).mkdir()
        Image.fromarray(noise).save(tmp_path / name / "a.png")
    with pytest.raises(ProfileError, match="pixels are too many to be matched with"):
        scored(tmp_path, tolerance=0.1)


def test_an_image_that_claims_100_megapixels_is_not_made(tmp_path: Path) -> None:
    written(tmp_path / "truth" / "a.png", line(5, 2, 12))
    written(tmp_path / "maps" / "a.png", {})
    content = bytearray((tmp_path / "maps" / "a.png").read_bytes())
    content[16:24] = (10_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (tmp_path / "maps" / "a.png").write_bytes(content)
    with pytest.raises(ProfileError, match=r"a\.png is refused: more than"):
        scored(tmp_path)
