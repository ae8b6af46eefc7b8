"""An answer is shown in a process that has imported nothing but what gives it."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import profiler
from profiler.render import answer

for each in pkgutil.walk_packages(profiler.__path__, "profiler."):
    if each.name.startswith(("profiler.answers.", "profiler.api.")):
        importlib.import_module(each.name)
SHOWN = sorted({(cls.__module__, cls.__qualname__) for cls in answer._shown} | {("profiler.api.profiling", "Profile")})
_SHOWS = """
import importlib
from profiler.render import answer
cls = getattr(importlib.import_module({module!r}), {name!r})
assert any(ancestor in answer._shown for ancestor in cls.__mro__)
"""


@pytest.mark.parametrize(("module", "name"), SHOWN, ids=lambda part: part.rpartition(".")[2])
def test_the_file_of_an_answer_brings_how_it_is_shown(module: str, name: str) -> None:
    if module == "profiler.figures.profile":
        module = "profiler.api.profiling"  # which gives profiles: figures know of no answers
    subprocess.run([sys.executable, "-c", _SHOWS.format(module=module, name=name)], check=True)


def test_a_profile_is_printed_in_a_process_that_does_nothing_else() -> None:
    code = "from torch import nn; from profiler import profile; print(profile(nn.Linear(4, 4), (1, 4)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Linear" in done.stdout
