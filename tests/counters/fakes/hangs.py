"""Starts a process and waits for it, longer than anybody has time."""

from __future__ import annotations

import os
import subprocess
import sys

DISTRIBUTION = MODULE = "torch"


def read(model, args, kwargs):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    with open(os.environ["HANGS_CHILD"], "w") as file:
        file.write(str(child.pid))
    child.wait()
