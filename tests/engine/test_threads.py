"""What threads of a forward pass compute is counted, in the module that started them and in those that they call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
import torch
from torch import nn

from profiler import profile

ROWS, WIDTH, LAYERS = 3, 8, 4
MACS = ROWS * WIDTH * WIDTH


class Parallel(nn.Module):
    def __init__(self, way: Callable[[Any, torch.Tensor], Any], reads: bool) -> None:
        super().__init__()
        self.layers, self.way, self.reads = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)), way, reads

    def forward(self, x: torch.Tensor) -> Any:
        if self.reads:
            x.sum().item()
        return self.way(self.layers, x)


def _threads(layers: Any, x: torch.Tensor) -> Any:
    found: dict[int, torch.Tensor] = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: layers[i](x)})) for i in range(LAYERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(found.values())


class _Caller(threading.Thread):
    def __init__(self, layer: Any, x: torch.Tensor) -> None:
        super().__init__()
        self._call, self.out = partial(layer, x), None

    def run(self) -> None:
        self.out = self._call()


def _subclasses(layers: Any, x: torch.Tensor) -> Any:
    threads = [_Caller(layer, x) for layer in layers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [thread.out for thread in threads]


def _pool(layers: Any, x: torch.Tensor) -> Any:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda layer: layer(x), layers))


def _thread_pool(layers: Any, x: torch.Tensor) -> Any:
    with ThreadPool(2) as pool:
        return pool.map(lambda layer: layer(x), layers)


def _asyncio(layers: Any, x: torch.Tensor) -> Any:
    async def together() -> Any:
        return await asyncio.gather(*(asyncio.to_thread(layer, x) for layer in layers))

    return asyncio.run(together())


def _nested(layers: Any, x: torch.Tensor) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_threads, layers, x).result()


_KEPT = ThreadPoolExecutor(2)
WAYS: dict[str, Callable[[Any, torch.Tensor], Any]] = {
    "threads": _threads,
    "subclasses": _subclasses,
    "executor": _pool,
    "executor of the program's": lambda layers, x: [f.result() for f in [_KEPT.submit(m, x) for m in layers]],
    "pool": _thread_pool,
    "asyncio": _asyncio,
    "threads of threads": _nested,
}


@pytest.mark.parametrize(("reads", "train"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_threads_are_followed(way: Callable[[Any, torch.Tensor], Any], reads: bool, train: bool) -> None:
    _KEPT.submit(len, ()).result()  # its threads are there before the run
    start = threading.Thread.start
    found = profile(Parallel(way, reads), (ROWS, WIDTH), train=train)
    assert found.trace.engine == ("cpu" if reads else "meta")
    assert found.totals.macs == LAYERS * MACS * (2 if train else 1)
    for layer in (found[f"layers.{i}"] for i in range(LAYERS)):
        assert layer.calls == 1
        # Nodes of the graph are numbered by thread: a number that two have does not tell whose gradient it is.
        assert layer.macs in ((MACS, 2 * MACS) if train else (MACS,))
    assert threading.Thread.start is start
    assert "apply_async" not in vars(ThreadPool)


def test_what_other_threads_of_the_program_compute_is_not_counted() -> None:
    stop = threading.Event()

    def works() -> None:
        while not stop.is_set():
            torch.ones(4, 4) @ torch.ones(4, 4)

    thread = threading.Thread(target=works)
    thread.start()
    try:
        assert profile(nn.Linear(WIDTH, WIDTH), (ROWS, WIDTH)).totals.macs == MACS
    finally:
        stop.set()
        thread.join()


def test_a_thread_that_outlives_the_forward_pass_is_named() -> None:
    go_on = threading.Event()

    def way(layers: Any, x: torch.Tensor) -> Any:
        threading.Thread(target=go_on.wait).start()
        return layers[0](x)

    try:
        found = profile(Parallel(way, False), (ROWS, WIDTH))
    finally:
        go_on.set()
    assert any("still running" in note for note in found.trace.notes)
