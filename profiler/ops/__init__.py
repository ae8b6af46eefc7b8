"""What does one operator call cost? One file a family; formulas are pure functions of shapes, and torch is not needed.

Importing this package registers every operator that we know, and in `layers` every kind of layer: the folders are the
lists. `registry` says how to add an operator, `layers.kind` a layer; `cost` is the unit.
"""

import pkgutil
from importlib import import_module

from profiler.ops.cost import Cost, product
from profiler.ops.registry import Uncovered, cost, formula, free, free_reason, is_known, spent

__all__ = ["Cost", "Uncovered", "cost", "formula", "free", "free_reason", "is_known", "product", "spent"]

for _file in pkgutil.walk_packages(__path__, "profiler.ops."):
    import_module(_file.name)
