"""Which samples, with which labels, does a text name? `FILE.npz`, a folder of images, or `FILE.py:LOADER`.

Nothing in a file of arrays is unpickled.
"""

from __future__ import annotations

import itertools
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor

from profiler import errors
from profiler.engine.containers.walk import leaves
from profiler.engine.gradients.samples import Batch, first_samples
from profiler.engine.run.subject import Subject
from profiler.engine.run.values import free_bytes
from profiler.records.inputs import TensorSpec
from profiler.records.quantities import size_up
from profiler.records.spec import parse
from profiler.sources import images
from profiler.sources.python import attribute, split_arguments

INPUTS, LABELS = ("images", "inputs", "x", "data"), ("labels", "targets", "y")
_DATA = "the data"


@dataclass(frozen=True, slots=True)
class Samples:
    """Batches, and a sentence on what was done to what was read."""

    batches: list[Batch]
    words: str

    @property
    def number(self) -> int:
        return sum(batch.size for batch in self.batches)

    @property
    def has_labels(self) -> bool:
        return all(batch.labels is not None for batch in self.batches)


def read(source: Any, number: int, at_once: int, subject: Callable[[], Subject]) -> Samples:
    """The first samples of a source. Raises `errors.ProfileError`.

    source: a text, or what yields batches. number: how many at most. at_once: how many a batch of those has that are
    read from files. subject: the model, where what it takes decides how images are read.
    """
    if not isinstance(source, str):
        return _checked(_of_loader(source, number, _DATA), _DATA)
    if source.endswith(".npz"):
        return _checked(_of_arrays(source, number, at_once, subject), source)
    if os.path.isdir(source):
        return _checked(Samples(*images.read(source, number, at_once, subject())), source)
    if ":" not in source:
        raise _no_data(source)
    loader = attribute(parse(source))
    return _checked(_of_loader(_called(loader, source) if callable(loader) else loader, number, source), source)


def _checked(samples: Samples, source: str) -> Samples:
    if not samples.number:
        raise _is_empty(source)
    for batch in samples.batches:
        if batch.labels is not None and (not batch.labels.ndim or len(batch.labels) != batch.size):
            raise _labels_do_not_fit(source, batch.size, tuple(batch.labels.shape))
    return samples


# Arrays ---------------------------------------------------------------------------------------------------------------


def _of_arrays(path: str, number: int, at_once: int, subject: Callable[[], Subject]) -> Samples:
    arrays = _arrays(path)
    name = next((name for name in INPUTS if name in arrays), None)
    if name is None:
        raise _no_array(path, list(arrays))
    every, labels = arrays[name], next((torch.from_numpy(arrays[name]) for name in LABELS if name in arrays), None)
    if labels is not None and len(labels) != len(every):
        raise _labels_do_not_fit(path, len(every), tuple(labels.shape))
    values, words = _as_inputs(torch.from_numpy(every)[:number], _expected(subject))
    labels = None if labels is None else labels[:number]
    batches = [
        Batch((values[i : i + at_once],), {}, None if labels is None else labels[i : i + at_once])
        for i in range(0, len(values), at_once)
    ]
    return Samples(batches, f"of {path}{words}")


def _arrays(path: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as file:
            needed = sum(info.file_size for info in file.infolist())
        if needed > (free := free_bytes()):
            raise _too_large(path, needed, free)
        with numpy.load(path, allow_pickle=False) as arrays:
            wanted = {name: arrays[name] for name in arrays.files if name in (*INPUTS, *LABELS)}
            return {name: _plain(array) for name, array in wanted.items()} or dict.fromkeys(arrays.files)
    except FileNotFoundError:
        raise errors.no_such_file(path) from None
    except errors.ProfileError:
        raise
    except Exception as error:  # numpy and zlib raise whatever a damaged file leads them to
        raise _unreadable(path, error) from None


def _plain(array: Any) -> Any:
    """Raises where an array has no dtype of torch's, or no samples."""
    if not array.ndim:
        raise ValueError("an array in it is a single number")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    torch.from_numpy(array[:0])
    return array


def _expected(subject: Callable[[], Subject]) -> TensorSpec | None:
    """What the model's first input is, where that is known."""
    try:
        args = subject().args
    except errors.InputsNeeded:
        return None
    return args[0] if args and isinstance(args[0], TensorSpec) else None


def _as_inputs(values: Tensor, expected: TensorSpec | None) -> tuple[Tensor, str]:
    """As the model takes them: bytes become numbers up to 1, and channels come first."""
    dtype = getattr(torch, "float32" if expected is None else expected.dtype)
    words = ""
    if values.dtype == torch.uint8 and dtype.is_floating_point:
        values, words = values / 255, ", divided by 255"
    if values.is_floating_point() and dtype.is_floating_point:
        values = values.to(dtype)
    channels = (1, 3) if expected is None or len(expected.shape) != 4 else (expected.shape[1],)
    if values.ndim == 4 and values.shape[1] not in channels and values.shape[-1] in channels:
        values, words = values.permute(0, 3, 1, 2).contiguous(), f"{words}, channels first"
    return values, words


# A loader -------------------------------------------------------------------------------------------------------------


def _called(loader: Callable[[], Any], source: str) -> Any:
    try:
        return loader()
    except Exception as error:  # it is the user's code
        raise _loader_fails(source, error) from error


def _of_loader(loader: Any, number: int, source: str) -> Samples:
    """Each item is inputs and labels, or inputs alone; a tuple of inputs is several, a dict is by name."""
    try:
        batches = first_samples(_batches(loader), number)
    except errors.ProfileError:
        raise
    except Exception as error:  # it is the user's code
        raise _loader_fails(source, error) from error
    return Samples(batches, f"of {source}")


def _batches(loader: Iterable[Any]) -> Iterator[Batch]:
    for item in itertools.chain(loader):
        inputs, labels = item if isinstance(item, (tuple, list)) and len(item) == 2 else (item, None)
        args, kwargs = split_arguments(tuple(inputs) if isinstance(inputs, list) else inputs)
        batch = Batch(
            tuple(map(_tensor, args)),
            {str(name): _tensor(value) for name, value in kwargs.items()},
            None if labels is None else torch.as_tensor(labels),
        )
        if next(leaves((batch.args, dict(batch.kwargs))), None) is None:
            raise _no_tensors(type(inputs).__name__)
        yield batch


def _tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, numpy.ndarray) else value


# Error messages -------------------------------------------------------------------------------------------------------


def _no_data(text: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--data {text}: it is FILE.npz, a folder of images, or FILE.py:LOADER, and this is none"
    )


def _is_empty(source: str) -> errors.ProfileError:
    return errors.ProfileError(f"there is no sample in {source}; name data that has some")


def _no_array(path: str, names: list[str]) -> errors.ProfileError:
    there = f"it has {errors.some(names)}" if names else "it has none"
    return errors.ProfileError(f"{path}: its inputs are an array called {' or '.join(INPUTS)}, and {there}")


def _labels_do_not_fit(source: str, samples: int, shape: tuple[int, ...]) -> errors.ProfileError:
    written = "×".join(map(str, shape)) or "a single number"
    return errors.ProfileError(f"{source}: labels of {written} do not say one for each of {samples:,} samples")


def _too_large(path: str, needed: int, free: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path}: its arrays take {size_up(needed)}, of which {size_up(free)} are free; take fewer samples"
    )


def _unreadable(path: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path}: its arrays cannot be read ({errors.said(error)}); write it by numpy.savez, with numbers alone"
    )


def _loader_fails(source: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"{source} gives no samples ({type(error).__name__}: {errors.said(error)}{errors.place(error)}); a loader is "
        "called without arguments and returns batches, each a pair of inputs and labels"
    )


def _no_tensors(kind: str) -> errors.ProfileError:
    return errors.ProfileError(f"the data have inputs of type {kind}, without a tensor; give tensors or arrays")
