"""Which models does a sweep meet? Some that are well, and some that do to their process what no `except` sees."""

import os
import sys
import threading
import time

import torch
from torch import nn


def linear(width=8):
    """A model that is well, of `width * 4` MACs."""
    return nn.Linear(width, 4, bias=False), torch.zeros(1, width)


def aborts():
    """It crashes, as C code does."""
    os.abort()


def hangs():
    """It never ends."""
    while True:
        time.sleep(1)


def eats():
    """It takes all the memory that there is."""
    kept = []
    while True:
        kept.append(bytearray(64 << 20))


def raises():
    """It fails as Python code does."""
    raise ValueError("no such width")


def leaves():
    """It ends the program."""
    sys.exit(3)


def forks():
    """It makes a copy of its process, which goes on with what is not its own."""
    os.fork()
    return linear(7)


def disturbs():
    """It prints, reads, changes the environment and the folder, and leaves a thread behind."""
    print("printed", flush=True)
    os.write(1, b"written\n")
    assert sys.stdin.read() == ""
    os.environ["DISTURBED"] = "yes"
    os.chdir("/")
    sys.path.clear()
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return linear(6)


def undisturbed():
    """What is not the case after `disturbs`."""
    assert "DISTURBED" not in os.environ
    assert threading.active_count() == 1
    assert os.getcwd() != "/"
    return linear(5)
