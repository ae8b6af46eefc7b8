"""What is to be read? A spec or a live model, and what it is fed. It travels to other processes in a file."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from profiler import errors
from profiler.records.quantities import size_up
from profiler.records.spec import Feed

if TYPE_CHECKING:
    from torch import nn

    from profiler.engine.run.subject import Subject


@dataclass(frozen=True, slots=True)
class Job:
    """A model spec, such as "resnet34", or a live `nn.Module`; and what its forward pass takes."""

    model: str | nn.Module
    feed: Feed = field(default_factory=Feed)

    @property
    def name(self) -> str:
        return self.model if isinstance(self.model, str) else type(self.model).__name__

    def save(self, path: Path | IO[bytes]) -> None:
        """Write it to a file. A model's classes go along where another process could not import them."""
        import cloudpickle
        import torch

        try:
            with _by_value(self.model, cloudpickle):
                torch.save(self, path, pickle_module=cloudpickle, pickle_protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # whatever the model's attributes raise
            raise _cannot_be_copied(self.name, error) from error

    @classmethod
    def load(cls, path: Path | IO[bytes]) -> Job:
        """Read what `save` wrote, with every tensor on the CPU."""
        import torch

        job: Job = torch.load(path, map_location="cpu", weights_only=False)
        return job

    def real(self) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        """A model in eval mode with real weights on the CPU, and real arguments; a spec's weights are random.

        A live model is changed by this and by whatever is run on it: call it on a job that was loaded.
        """
        import torch

        from profiler.engine.containers.walk import map_leaves
        from profiler.engine.run.feed import on_device

        subject = _with_weights(self._subject())
        if subject.folder is not None:
            sys.path.insert(0, subject.folder)  # for the rest of this process, which is the counter's
        model = subject.model.eval()
        cpu, generator = torch.device("cpu"), torch.Generator().manual_seed(0)
        args, kwargs = map_leaves(lambda leaf: on_device(leaf, cpu, generator), (subject.args, dict(subject.kwargs)))
        _settle(model, args, kwargs)
        torch.manual_seed(0)
        return model, args, kwargs

    def _subject(self) -> Subject:
        from profiler import sources
        from profiler.engine.run.subject import Subject

        if not isinstance(self.model, str):
            return sources.subject_of(self.model, self.feed)
        subject = sources.load(self.model, self.feed)
        if not isinstance(subject, Subject):
            raise errors.nothing_to_run(self.model)
        return subject


def _with_weights(subject: Subject) -> Subject:
    """The subject with its model on the CPU; made again with weights if it was built without."""
    import psutil
    import torch

    weights = list(chain(subject.model.parameters(), subject.model.buffers()))
    if not any(weight.is_meta for weight in weights):
        subject.model.cpu()
        return subject
    if subject.rebuild is None:
        raise _counters_need_weights(subject.name)
    needed, free = sum(weight.nbytes for weight in weights), psutil.virtual_memory().available
    if needed > free:
        raise _counter_does_not_fit(subject.name, needed, free)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return subject.rebuilt()


def _settle(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Let lazy modules learn their shapes, which no counter does for them."""
    import torch

    from profiler.engine.run.lazy import waits_for_input

    if waits_for_input(model):
        with torch.no_grad():
            model(*args, **kwargs)


@contextmanager
def _by_value(model: Any, cloudpickle: Any) -> Iterator[None]:
    """Let the code go along of modules that exist in this process alone; cloudpickle sees to `__main__` by itself."""
    modules = [] if isinstance(model, str) else [sys.modules.get(type(module).__module__) for module in model.modules()]
    here_alone = {
        module.__name__: module for module in modules if module is not None and not _importable(module.__name__)
    }
    for module in here_alone.values():
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in here_alone.values():
            cloudpickle.unregister_pickle_by_value(module)


def _importable(name: str) -> bool:
    try:
        return name == "__main__" or find_spec(name) is not None
    except (ImportError, ValueError):  # no parent package, or a module that was put together by hand
        return False


# What is said ---------------------------------------------------------------------------------------------------------


def _counters_need_weights(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} has its weights on the meta device, and other counters run it for real; give it real weights"
    )


def _counter_does_not_fit(model: str, needed: int, free: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"other counters need the weights of {model}: {size_up(needed)}, and {size_up(free)} are free; "
        "use a machine with more memory"
    )


def _cannot_be_copied(model: str, error: BaseException) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} cannot be copied to the processes of other counters ({type(error).__name__}: "
        f"{errors.first_line(error)}); name it by a spec, like FILE.py:CALLABLE"
    )
