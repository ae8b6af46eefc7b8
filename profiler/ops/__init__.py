"""What does one operator call cost? One file a family; formulas are pure functions of shapes, and torch is not needed.

Importing this package registers every operator we know. See `registry` for how to add one and `cost` for the unit.
"""

from profiler.ops import (  # noqa: F401  (imported for their registrations)
    activation,
    attention,
    convolution,
    draws,
    elementwise,
    embedding,
    fft,
    flex,
    free_list,
    linalg,
    loss,
    matmul,
    movement,
    nested,
    norm,
    optimizer,
    pooling,
    primitives,
    quantized,
    ragged,
    recurrent,
    reduction,
    resample,
    scaled,
    sparse,
    spectral,
    vision,
)
from profiler.ops.cost import Cost, product
from profiler.ops.registry import Uncovered, cost, formula, free, free_reason, is_known, spent

__all__ = ["Cost", "Uncovered", "cost", "formula", "free", "free_reason", "is_known", "product", "spent"]
