"""Leaves its process without a word to Python."""

from __future__ import annotations

import os
import sys

DISTRIBUTION = MODULE = "torch"


def read(model, args, kwargs):
    print("last words", file=sys.stderr)
    sys.stderr.flush()
    os._exit(7)
