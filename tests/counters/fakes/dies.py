"""Is killed, as by a segmentation fault."""

from __future__ import annotations

import os
import signal

DISTRIBUTION = MODULE = "torch"


def read(model, args, kwargs):
    os.kill(os.getpid(), signal.SIGSEGV)
