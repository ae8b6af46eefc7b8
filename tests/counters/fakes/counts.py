"""Counts parameters, so that a test can see which model it was given."""

from __future__ import annotations

from profiler.counters.running.reading import Reading

DISTRIBUTION = MODULE = "torch"


def read(model, args, kwargs):
    model(*args, **kwargs)
    counts = {path: sum(p.numel() for p in module.parameters(recurse=False)) for path, module in model.named_modules()}
    modes = " ".join(sorted({"train" if module.training else "eval" for module in model.modules()}))
    return Reading("a name that is not asked for", total=sum(counts.values()), layers=counts, note=modes)
