"""How is a model's output used? As a caller would use it: generators are run through, coroutines waited for."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from itertools import islice
from typing import Any

import torch

from profiler import errors

_MOST = 100_000  # items of one iterator


def consumed(output: Any, model: str) -> Any:
    """The output, with lists of their items in place of iterators; raises `errors.ProfileError`."""
    if isinstance(output, AsyncIterator):
        output = _run_to_end(_collected(output, model))
    elif isinstance(output, Coroutine):
        output = _run_to_end(output)
    elif isinstance(output, Future):
        output = output.result()
    elif isinstance(output, torch.futures.Future):
        output = output.wait()
    if isinstance(output, Iterator) and not isinstance(output, io.IOBase):
        return [consumed(item, model) for item in _items(output, model)]
    return _inside(output, model)


def _inside(output: Any, model: str) -> Any:
    """The collection itself where nothing in it is an iterator."""
    if type(output) in (list, tuple):
        items = [consumed(item, model) for item in output]
        return output if all(a is b for a, b in zip(items, output, strict=True)) else type(output)(items)
    if type(output) is dict:
        named = {name: consumed(item, model) for name, item in output.items()}
        return output if all(named[name] is item for name, item in output.items()) else named
    return output


def _items(iterator: Iterator[Any], model: str) -> Iterator[Any]:
    yield from islice(iterator, _MOST)
    if next(iterator, iterator) is not iterator:
        raise _endless(model, _MOST)


async def _collected(items: AsyncIterator[Any], model: str) -> list[Any]:
    collected: list[Any] = []
    async for item in items:
        collected.append(item)
        if len(collected) > _MOST:
            raise _endless(model, _MOST)
    return collected


def _run_to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """In this thread, which an event loop of the caller's may be running in: a notebook's does."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
        asyncio._set_running_loop(running)


# Error messages -------------------------------------------------------------------------------------------------------


def _endless(model: str, most: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} returns an iterator that goes on after {most:,} items; profile one that takes as many as are wanted"
    )
