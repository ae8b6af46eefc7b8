"""How good are maps of edges? F-measures of matched pixels, with one threshold for a set of images and with each's own.

As Martin, Fowlkes and Malik, "Learning to Detect Natural Image Boundaries Using Local Brightness, Color, and Texture
Cues" (PAMI 26(5), 2004), match them, and Arbeláez, Maire, Fowlkes and Malik, "Contour Detection and Hierarchical Image
Segmentation" (PAMI 33(5), 2011), call their results ODS and OIS:

- a map is cut at each of 99 thresholds, 0.01 to 0.99, and thinned to lines of one pixel;
- its pixels and those of a truth are matched one to one, where they are no farther apart than a share of the image's
  diagonal (0.0075), so that the most are matched;
- recall is the share of true pixels that are matched, over all annotators; precision that of predicted pixels that are
  matched with some annotator's; over a set of images their counts are added up first;
- ODS is the best F1 over thresholds, OIS the F1 of counts that each image has at its own best threshold.

The benchmark of Berkeley matches with the least sum of distances among such matchings, by an approximate solver, and
interpolates between thresholds; this does neither. The number of matched pixels is the same, of one annotator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import hypot, pi
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.score.compute import Curve, EdgeScores, Point
from profiler.answers.score.images import Pair, edges, pairs, strengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLDS = tuple(step / 100 for step in range(1, 100))
_MOST_TOLERANCE = 0.1
_MOST_CANDIDATES = 50_000_000  # pairs of pixels that are near enough


@dataclass(frozen=True, slots=True)
class Counts:
    """Pixels, added up: matched and all, of what is predicted and of what is true."""

    right: int = 0
    predicted: int = 0
    found: int = 0
    true: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.right + other.right,
            self.predicted + other.predicted,
            self.found + other.found,
            self.true + other.true,
        )

    def point(self, threshold: float | None) -> Point | None:
        """None where nothing is predicted, or nothing is true."""
        if not self.predicted or not self.true:
            return None
        precision, recall = self.right / self.predicted, self.found / self.true
        return Point(threshold, precision, recall, self.f1)

    @property
    def f1(self) -> float:
        """0 where nothing is matched."""
        precision, recall = (part / whole if whole else 0.0 for part, whole in self._shares)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    @property
    def _shares(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.right, self.predicted), (self.found, self.true)


def scored(
    model: str,
    predicted: str,
    truth: str,
    tolerance: float,
    with_progress: Callable[[Sequence[Any], Sequence[str]], Iterable[Any]] = lambda items, names: items,
) -> EdgeScores:
    """Of two folders; raises `errors.ProfileError`."""
    needed()
    if not 0 <= tolerance <= _MOST_TOLERANCE:
        raise errors.ProfileError(f"--tolerance {tolerance:g}: it is a share of the diagonal, from 0 to 0.1")
    of_each = pairs(predicted, truth)
    counted = [of_pair(pair, tolerance) for pair in with_progress(of_each, [pair.predicted for pair in of_each])]
    summed = [sum(column, Counts()) for column in zip(*counted, strict=True)]
    best = sum((max(image, key=lambda counts: counts.f1) for image in counted), Counts())
    points = [counts.point(threshold) for threshold, counts in zip(THRESHOLDS, summed, strict=True)]
    known = tuple(point for point in points if point is not None)
    curve = Curve(known, len(known)) if known else None
    notes = [
        f"{len(of_each):,} image{'s' if len(of_each) > 1 else ''}; pixels match within {tolerance:g} of the diagonal."
    ]
    if curve is None:
        nothing = "no truth has an edge" if not summed[0].true else "no map has an edge at any threshold"
        notes.append(f"ODS and OIS are not defined: {nothing}.")
    return EdgeScores(model, len(of_each), curve.best if curve else None, best.point(None), curve, tuple(notes))


def of_pair(pair: Pair, tolerance: float) -> list[Counts]:
    """Of one image, at each threshold; raises `errors.ProfileError`."""
    strength, truths = strengths(pair.predicted), [edges(path) for path in pair.truths]
    for path, truth in zip(pair.truths, truths, strict=True):
        if truth.shape != strength.shape:
            raise _other_size(pair.predicted, strength.shape, path, truth.shape)
    counted: dict[int, Counts] = {}  # by how many pixels are above the threshold: where as many are, they are the same
    of_each = []
    for threshold in THRESHOLDS:
        is_edge = strength >= threshold
        pixels = int(is_edge.sum())
        if pixels not in counted:
            counted[pixels] = _counts(is_edge, truths, tolerance, pair.predicted)
        of_each.append(counted[pixels])
    return of_each


def _counts(is_edge: NDArray[Any], truths: Sequence[NDArray[Any]], tolerance: float, path: str) -> Counts:
    import numpy
    from skimage.morphology import thin

    pixels = numpy.argwhere(thin(is_edge))
    distance = tolerance * hypot(*is_edge.shape)
    is_right, found, true = numpy.zeros(len(pixels), bool), 0, 0
    for truth in truths:
        others = numpy.argwhere(truth)
        density = len(others) / truth.size
        if len(pixels) * density * pi * (distance + 1) ** 2 > _MOST_CANDIDATES:
            raise _too_many(path, len(pixels), len(others))
        is_matched = matched(pixels, others, distance)
        is_right |= is_matched
        found, true = found + int(is_matched.sum()), true + len(others)
    return Counts(int(is_right.sum()), len(pixels), found, true)


def matched(pixels: NDArray[Any], others: NDArray[Any], distance: float) -> NDArray[Any]:
    """Which pixels have a partner of their own within a distance, where as many have one as can."""
    import numpy
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching
    from scipy.spatial import cKDTree

    if not len(pixels) or not len(others):
        return numpy.zeros(len(pixels), bool)
    near = cKDTree(pixels).sparse_distance_matrix(cKDTree(others), distance, output_type="ndarray")
    graph = csr_array((numpy.ones(len(near), numpy.int8), (near["i"], near["j"])), shape=(len(pixels), len(others)))
    is_matched: NDArray[Any] = maximum_bipartite_matching(graph, perm_type="column") >= 0
    return is_matched


def needed() -> None:
    """Raise `errors.MissingPackage` where what thins is not installed."""
    try:
        import skimage.morphology  # noqa: F401
    except ImportError:
        raise errors.MissingPackage("scikit-image", "is not installed", "scikit-image") from None


# Error messages -------------------------------------------------------------------------------------------------------


def _other_size(predicted: str, size: tuple[int, ...], truth: str, other: tuple[int, ...]) -> errors.ProfileError:
    return errors.ProfileError(
        f"{predicted} has {size[1]}×{size[0]} pixels, and {truth} {other[1]}×{other[0]}; give maps of the size of "
        "their truth"
    )


def _too_many(path: str, pixels: int, others: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path}: {pixels:,} pixels are too many to be matched with {others:,}; give maps of lines, or a smaller "
        "--tolerance"
    )
