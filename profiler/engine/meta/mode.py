"""Which dispatch mode costs nothing but itself? One that is entered without an import of torch's compiler."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class LeanDispatchMode(TorchDispatchMode):
    """torch wraps a mode's method so that the compiler passes it over, and imports the compiler (a second) to do so.

    Compiled modules run their original code while these modes are active, so there is nothing to pass over.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
