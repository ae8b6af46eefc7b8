"""How large may a model be that a configuration asks for? A short file can ask for any number of layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import register_module_module_registration_hook

from profiler.errors import ProfileError

MOST_MODULES = 80_000  # 61 layers of 256 experts with three matrices each have 62,000
MOST_TOKENS = 100_000_000  # ten times as many as any model has positions for


class TooManyModules(Exception):
    """Raised while a model is built; its text is the reason in the message that it cannot be built."""


class TooManyTokens(ProfileError):
    def __init__(self, seq: int) -> None:
        super().__init__(f"--seq {seq}: {MOST_TOKENS:,} tokens are the most that a model is given; ask for fewer")


def check_tokens(seq: int | None) -> None:
    """Raises `TooManyTokens`."""
    if seq is not None and seq > MOST_TOKENS:
        raise TooManyTokens(seq)


@contextmanager
def counted() -> Iterator[None]:
    """Bound the number of modules of whatever is built meanwhile."""
    left = MOST_MODULES

    def count(module: Any, name: str, child: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooManyModules(f"more than {MOST_MODULES:,} modules, the most that a configuration may ask for")

    handle = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
