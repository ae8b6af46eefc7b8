"""What a counter may do: start processes that stay, one of them in a session of its own, and wait or end.

`lingers PIDS HOW`: writes the processes' numbers to PIDS. `HOW` is wait, end, or a signal that it sends itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

STAY = [sys.executable, "-S", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]

if __name__ == "__main__":
    pids, how = Path(sys.argv[1]), sys.argv[2]
    started = [subprocess.Popen(STAY), subprocess.Popen(STAY, start_new_session=True)]
    partial = pids.with_suffix(".part")
    partial.write_text(" ".join(str(pid) for pid in (os.getpid(), *(process.pid for process in started))))
    partial.rename(pids)
    if how == "wait":
        time.sleep(600)
    if how.isdigit():
        os.kill(os.getpid(), int(how))
    os._exit(7)
