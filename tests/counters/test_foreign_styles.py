"""Every installed counter on every style of code: its account closes, or its reason is known by name."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from functools import cache

import pytest
import torch

from profiler import counters, profile
from profiler.answers.cross_check.accounts import account
from profiler.counters.running.installed import missing
from profiler.counters.running.job import Job
from profiler.counters.running.reading import Reading
from profiler.counters.running.worker import read
from profiler.records.inputs import positional_and_named as arguments
from profiler.records.spec import Feed
from profiler.records.trace import Trace
from tests.counters.foreign_styles import STYLES

TOOLS = [tool for tool in counters.names() if missing(counters.tool(tool)) is None]

# What does not close, and why not.
HANDED = "a function of torch that is handed to another function is not seen in the trace to be one"
OPEN = {("reduce with add", tool): HANDED for tool in ("calflops-flops", "deepspeed-flops", "ptflops")}


def _job(name: str) -> Job:
    style = STYLES[name]
    return Job(style.build(), Feed(*arguments(style.shape, None)))


def _read_all(tool: str, connection) -> None:
    torch.set_num_threads(1)  # a forked process has none of its parent's
    for name in STYLES:
        connection.send((name, read(tool, lambda name=name: _job(name))))
    connection.close()


@cache
def readings(tool: str) -> dict[str, Reading]:
    """Of a process of its own: counters leave patched functions behind."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_read_all, args=(tool, sender), daemon=True)
    process.start()
    sender.close()
    try:
        return dict(_received(receiver))
    finally:
        process.join()


def _received(receiver) -> Iterator[tuple[str, Reading]]:
    while True:
        try:
            yield receiver.recv()
        except EOFError:
            return


@cache
def trace(name: str) -> Trace:
    style = STYLES[name]
    return profile(style.build(), style.shape).trace


def test_the_styles_are_as_many_as_are_promised() -> None:
    assert len(STYLES) >= 60
    assert {"fvcore", "thop", "ptflops", "torchinfo", "torch"} <= set(TOOLS)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", STYLES)
def test_its_account_closes(name: str, tool: str) -> None:
    reading = readings(tool)[name]
    assert reading.error is None, reading.error
    said = account(trace(name), reading)
    if (name, tool) in OPEN:
        assert not said.closes, "it closes: take it off the list"
        pytest.xfail(OPEN[name, tool])
    assert said.closes, (said.operations, said.parameters)
