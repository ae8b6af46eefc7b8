"""How many examples does a law get? A hundred in each run, and a thousand in a nightly one.

The profile is chosen by Hypothesis's own option, `pytest --hypothesis-profile nightly`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

PROFILES = {"push": 100, "nightly": 1000}
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def register() -> None:
    """Make the profiles known; without the option it is the first."""
    for name, examples in PROFILES.items():
        settings.register_profile(name, max_examples=examples, deadline=None, suppress_health_check=_SLOW)
    settings.load_profile("push")


def examples() -> int:
    """Of a law in the profile that was chosen; asked for when a test file is imported, the option is known."""
    return int(settings().max_examples)


def share(percent: int, **others: Any) -> settings:
    """For a law whose examples are slow: a part of what other laws get, by whichever profile."""
    return settings(max_examples=max(1, examples() * percent // 100), **others)
