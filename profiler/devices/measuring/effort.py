"""How much is a measurement worth? Its budget, and how it is run."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS = 5.0  # the usual budget


@dataclass(frozen=True, slots=True)
class Effort:
    """seconds: the budget. threads: of torch; None: as many as there are. compiles: by `torch.compile` first.

    flushes_cache: what an earlier run left in the caches is replaced before each run.
    """

    seconds: float = SECONDS
    threads: int | None = None
    compiles: bool = False
    flushes_cache: bool = False


USUAL = Effort()
