"""What `--device` can name, and what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.devices.roofline import Roofline
from profiler.devices.timing import HERE, timer
from profiler.errors import ProfileError


def test_a_device_of_the_catalogue() -> None:
    roofline = timer("A100-SXM-80GB")
    assert isinstance(roofline, Roofline)
    assert roofline.name == "a100-sxm-80gb"


def test_a_file_about_a_device(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_text(
        '[my-card]\ntitle = "My card"\nkind = "gpu"\nmemory = "16 GB"\nmemory_bandwidth = 448e9\n'
        "peak = { float32 = 11e12 }\n",
        encoding="utf-8",
    )
    roofline = timer(str(path))
    assert isinstance(roofline, Roofline)
    assert roofline.device.peak == {"float32": 11e12}


@pytest.mark.parametrize("name", HERE)
def test_this_machine_is_measured(name: str) -> None:
    with pytest.raises(ProfileError, match=f"^--device {name} is this machine, where `profile-model time` measures; "):
        timer(name)


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(ProfileError, match="h100-sxm"):
        timer("h100-smx")
