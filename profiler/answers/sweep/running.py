"""How are the rows of a sweep made? By joblib, here or on a cluster; each worker hands models to a child process.

joblib distributes: its processes here (loky), or the workers of a cluster of Dask or Ray. A model runs in none of them,
but in a child of theirs, which lives on from model to model and is replaced when a model ends it, takes too long or too
much memory. So no pool ever breaks, and one mechanism serves everywhere.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from profiler import errors
from profiler.answers.sweep.request import Request
from profiler.answers.sweep.row import failure
from profiler.engine.processes.child import CRASHED, MEMORY, TIMEOUT, Bounds, Child, Ended
from profiler.engine.processes.foreign_code import end_with_command
from profiler.engine.processes.ties import die_with

_MODULE = "profiler.answers.sweep.row"
_DASK, _RAY = "dask", "ray"
CLUSTERS = (f"{_DASK}://", f"{_RAY}://")
_UNITS = {1024**4: "TB", 1024**3: "GB", 1024**2: "MB", 1024: "KB"}
_PATIENCE_S = 10  # for a cluster to answer
# A scheduler hands on some tens of tasks a second, whatever is in them, and a hundred workers end hundreds of models.
_MOST_IN_BATCH = 16
_BATCHES = 16  # at least, for each worker, so that none waits long for the others at the end
_free: list[Child] = []  # children of this process that nobody asks anything; each is one worker's at a time


def rows(
    request: Request,
    indices: Sequence[int],
    bounds: Bounds,
    jobs: int | None,
    on: str | None,
    trace_cache: str | None = None,
    is_kept: bool = False,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of some of the models, with their indices, in the order in which they end.

    jobs: how many run at once; None: one a core, here or on the cluster. on: the cluster; None: this machine.
    trace_cache: the folder that traces are looked up in and kept in. is_kept: whether rows go to a journal.

    Raises `errors.ProfileError` where no model can be run at all, or workers are lost too often.
    """
    from joblib import Parallel, delayed
    from joblib.parallel import DEFAULT_BACKEND  # loky, whatever a caller has chosen for work of their own

    end_with_command()
    with _backend(on, jobs, len(indices)) as (many, is_here):
        tied_to = os.getpid() if is_here and many != 1 else None
        tasks = (
            delayed(_row)(
                index, request.asked(index, trace_cache).to_bytes(), request.models[index].spec, bounds, tied_to
            )
            for index in indices
        )
        batch, backend = (1, DEFAULT_BACKEND) if is_here else (batch_size(len(indices), many), None)
        kept_ready = f"{2 * batch} * n_jobs"  # tasks; the others are not made before these have ended
        ways: Any = {"batch_size": batch, "pre_dispatch": kept_ready, "return_as": "generator_unordered"}
        try:
            yield from Parallel(many, backend=backend, **ways)(tasks)
        except errors.ProfileError:
            raise
        except Exception as error:  # each backend has its own for workers that are lost
            raise _worker_lost(on, error, is_kept) from error
        finally:
            close()


def batch_size(models: int, workers: int) -> int:
    """How many models a worker of a cluster is handed at once; their rows come back together.

    Here it is one: what a batch has done would be lost where the next of the batch is killed.
    """
    return max(1, min(_MOST_IN_BATCH, models // (_BATCHES * workers)))


def close() -> None:
    """End the children of this process."""
    while _free:
        _free.pop().close()


def _row(index: int, asked: bytes, spec: str, bounds: Bounds, tied_to: int | None) -> tuple[int, dict[str, Any]]:
    """In a worker: one row, made in its child. tied_to: the process that it shall not outlive."""
    if tied_to is not None:
        die_with(tied_to)
    try:
        child = _free.pop()
    except IndexError:  # asked so, for workers may be threads of one process
        child = Child(_MODULE)
    try:
        return index, json.loads(child.ask(asked, bounds))
    except Ended as ended:
        return index, failure(ended.status, str(_why(spec, ended, bounds)))
    finally:
        _free.append(child)


# Where ----------------------------------------------------------------------------------------------------------------


@contextmanager
def _backend(on: str | None, jobs: int | None, models: int) -> Iterator[tuple[int, bool]]:
    """joblib's backend for as long as it lasts; how many run at once there, and whether that is here."""
    if on is None:
        from joblib import cpu_count

        many = max(1, min(jobs or cpu_count(), models))  # as many processes are begun, at once
        if many > 1:
            _begin_tracker()
        yield many, True
        return
    kind, _, address = on.partition("://")
    if kind not in (_DASK, _RAY) or not address:
        raise _no_such_cluster(on)
    with (_dask if kind == _DASK else _ray)(address) as cores:
        yield jobs or cores, False


def _begin_tracker() -> None:
    """Begin the process that removes loky's temporary files when this one is killed, unless it is there.

    It is told not to warn of them: whoever stops a sweep need not know of it.
    """
    with suppress(ImportError, AttributeError):  # it is joblib's own
        from joblib.externals.loky.backend.resource_tracker import ensure_running

        before = os.environ.get("PYTHONWARNINGS")
        os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (before, "ignore:resource_tracker")))
        try:
            ensure_running()
        finally:
            if before is None:
                del os.environ["PYTHONWARNINGS"]
            else:
                os.environ["PYTHONWARNINGS"] = before


@contextmanager
def _dask(address: str) -> Iterator[int]:
    try:
        from distributed import Client
    except ImportError:
        raise errors.MissingPackage(_DASK, "is not installed", "'dask[distributed]'") from None
    from joblib import parallel_config

    try:
        client = Client(f"tcp://{address}", timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _unreachable(f"{_DASK}://{address}", error) from None
    with client, _errors_alone("distributed.client"):  # not each lost worker, whose models are run by another
        cores = sum(client.nthreads().values())
        if not cores:
            raise _has_no_workers(f"{_DASK}://{address}")
        with client.as_current(), parallel_config(_DASK):
            yield cores


@contextmanager
def _errors_alone(name: str) -> Iterator[None]:
    """A logger of a library's says nothing less, for as long as this lasts."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _ray(address: str) -> Iterator[int]:
    try:
        import ray
        from ray.util.joblib.ray_backend import RayBackend
    except ImportError:
        raise errors.MissingPackage(_RAY, "is not installed", _RAY) from None
    from joblib import parallel_config, register_parallel_backend

    class Generating(RayBackend):
        """Its pool calls back with each result, which is all that a generator of results needs."""

        supports_return_generator = True

    register_parallel_backend(_RAY, Generating)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # ray raises many kinds
        raise _unreachable(f"{_RAY}://{address}", error) from None
    try:
        with parallel_config(_RAY):
            yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


# What is said ---------------------------------------------------------------------------------------------------------


def _why(spec: str, ended: Ended, bounds: Bounds) -> errors.ProfileError:
    """The reason of a row; it says nothing that another run would say otherwise."""
    if ended.status == TIMEOUT:
        return errors.ProfileError(f"{spec} took longer than {bounds.seconds:g} seconds; give it more by --timeout")
    if ended.status == MEMORY:
        most = _size(bounds.memory_bytes or 0)
        return errors.ProfileError(f"{spec} took more than {most} of memory; give it more by --memory")
    assert ended.status == CRASHED
    return errors.ProfileError(f"the process that imported, built and ran {spec} {ended.how}")


def _size(size: int) -> str:
    """As a person writes a limit: in the largest unit that it has two decimals of at most."""
    unit = next((unit for unit in _UNITS if size >= unit and 100 * size % unit == 0), 1)
    return f"{size / unit:,.15g} {_UNITS.get(unit, 'B')}"


def _no_such_cluster(on: str) -> errors.ProfileError:
    return errors.ProfileError(f"--on {on}: a cluster is written {' or '.join(f'{c}HOST:PORT' for c in CLUSTERS)}")


def _unreachable(on: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"--on {on}: there is no cluster to be reached ({errors.first_line(error)}); check its address and versions"
    )


def _has_no_workers(on: str) -> errors.ProfileError:
    return errors.ProfileError(f"--on {on}: the cluster has no worker; start some with dask worker")


def _worker_lost(on: str | None, error: Exception, is_kept: bool) -> errors.ProfileError:
    where = "this machine" if on is None else on
    kept = "what ended is in the journal, and --resume goes on"
    hint = kept if is_kept else "--output keeps what ends, for --resume to go on with"
    return errors.ProfileError(
        f"a worker on {where} was lost ({type(error).__name__}: {errors.first_line(error)}); {hint}"
    )
