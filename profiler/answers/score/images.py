"""Which edges does an image have, predicted or true? Grey images in folders, which belong together by their names."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files.limits import UNPACKED, Budget
from profiler.records.files.reading import is_file, opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".pgm", ".jpg", ".jpeg")
_FORMATS = ("PNG", "TIFF", "BMP", "PPM", "JPEG")
_LARGEST = {"uint8": 255.0, "uint16": 65535.0, "bool": 1.0}
_PIXEL_BYTES = 2  # of 16 bits


@dataclass(frozen=True, slots=True)
class Pair:
    """A predicted map, and what one or several annotators drew of the same image."""

    predicted: str
    truths: tuple[str, ...]


def pairs(predicted: str, truth: str) -> list[Pair]:
    """Of each image in the folder of truths, by the name without its suffix; raises `errors.ProfileError`.

    An image that several annotators drew has a folder of that name, with an image each.
    """
    maps, drawn = _by_stem(predicted), _by_stem(truth)
    if not drawn:
        raise errors.ProfileError(f"{truth} has no image; put one a map there ({', '.join(SUFFIXES)})")
    missing = [stem for stem in drawn if stem not in maps or os.path.isdir(maps[stem])]
    if missing:
        raise errors.ProfileError(
            f"{predicted} has no map for {len(missing):,} of {len(drawn):,} images: {errors.some(missing)}; name "
            "each as the image of its truth"
        )
    return [Pair(maps[stem], _truths(path)) for stem, path in drawn.items()]


def _truths(path: str) -> tuple[str, ...]:
    several = tuple(_by_stem(path).values()) if os.path.isdir(path) else (path,)
    if not several:
        raise errors.ProfileError(f"{path} has no image; put one an annotator there, or remove the folder")
    return several


def _by_stem(folder: str) -> dict[str, str]:
    """Images, and folders, by their names without a suffix, in their order."""
    by_stem: dict[str, str] = {}
    try:
        paths = sorted(Path(folder).iterdir())
    except (OSError, ValueError) as error:
        raise errors.ProfileError(f"{folder} cannot be listed ({errors.first_line(error)}); name a folder") from None
    for path in paths:
        is_image = path.suffix.lower() in SUFFIXES and is_file(path)
        if not is_image and not path.is_dir():
            continue
        stem = path.stem if is_image else path.name
        if stem in by_stem:
            raise errors.ProfileError(f"{by_stem[stem]} and {path} are of one name; remove one of them")
        by_stem[stem] = str(path)
    return by_stem


def strengths(path: str) -> NDArray[Any]:
    """A predicted map, from 0 to 1; raises `errors.ProfileError`."""
    values = _grey(path)
    if values.dtype.name in _LARGEST:
        scaled: NDArray[Any] = values / _LARGEST[values.dtype.name]
        return scaled
    if not (values.min() >= 0 and values.max() <= 1):  # a NaN is neither
        raise _bad_image(path, "its values are not from 0 to 1")
    return values


def edges(path: str) -> NDArray[Any]:
    """What an annotator drew: one of two greys, of which 0 is no edge; raises `errors.ProfileError`."""
    import numpy

    values = _grey(path)
    greys = numpy.unique(values)
    if len(greys) > 2 or (len(greys) == 2 and greys[0] != 0):
        raise _bad_image(path, f"it has {len(greys):,} greys, and a truth is 0 or an edge; give one file an annotator")
    there: NDArray[Any] = values > 0
    return there


def _grey(path: str) -> NDArray[Any]:
    import numpy
    from PIL import Image

    try:
        with opened(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels, which the budget is about
            image = Image.open(file, formats=_FORMATS)
            budget = Budget(path, os.fstat(file.fileno()).st_size)
            budget.charge(UNPACKED, image.width * image.height * _PIXEL_BYTES)
            values = numpy.asarray(image)
    except errors.ProfileError:
        raise
    except Exception as error:  # each format has exceptions of its own
        raise _bad_image(path, errors.first_line(error)) from None
    try:
        return _one_channel(values)
    except Malformed as error:
        raise _bad_image(path, str(error)) from None


def _one_channel(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 3 and values.shape[2] >= 3 and (values[..., :3] == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2 or not values.size:
        raise Malformed("it has colours")
    if values.dtype.name == "int32":  # as Pillow has 16 bits of some formats
        values = values.astype("uint16") if values.min() >= 0 and values.max() <= _LARGEST["uint16"] else values
    return values


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_image(path: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} cannot be read as a map of edges: {why}; give a grey image of 8 or 16 bits")
