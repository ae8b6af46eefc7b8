"""Prints, in Python and below, and writes on the model."""

from __future__ import annotations

import os

from profiler.counters.running.reading import Reading

DISTRIBUTION = MODULE = "torch"


def read(model, args, kwargs):
    print("a table that nobody wants")
    os.write(1, b"and more of it\n")
    for parameter in model.parameters():
        parameter.data.zero_()
    return Reading("prints", total=1)
