"""A browser without a network, and pages that tell what went wrong on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from torch import nn

import profiler
from profiler import compare, diff, profile
from profiler.answers.report.compute import reported
from tests.hostile_names import HOSTILE

Open: TypeAlias = Callable[..., Page]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
READY = "main[data-ready], main[data-failed]"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium`")
    with sync_playwright() as playwright:
        yield (browser := playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]))
        browser.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a file with the network off. Afterwards: nothing but it was fetched, nothing failed, nothing was asked."""
    wrong: list[str] = []
    contexts = []

    def open_(path: Path, width: int = 1440, height: int = 1000, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: wrong.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        page.wait_for_selector(READY)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


# Reports --------------------------------------------------------------------------------------------------------------


class Hostile(nn.Module):
    """A layer for each name that would do harm as markup."""

    def __init__(self) -> None:
        super().__init__()
        for name in HOSTILE:
            self.add_module(name.replace(".", "·"), nn.Linear(2, 2))

    def forward(self, x: Any) -> Any:
        for layer in self.children():
            x = layer(x)
        return x


def _hostile() -> Any:
    named = profile(Hostile(), (1, 2))
    return compare([named] * len(HOSTILE), labels=HOSTILE, metrics={HOSTILE[0]: {"acc": 1.5}})


def _changed() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))


def _original() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))


SUBJECTS: dict[str, Callable[[], Any]] = {
    "resnet34": lambda: profile("resnet34"),
    "vit_b_16": lambda: profile("vit_b_16", device="a100-sxm-80gb"),
    "step": lambda: profile("resnet18", train=True, optimizer="adamw", batch=2),
    "comparison": lambda: compare(["resnet18", "resnet34", "mobilenet_v2", "vit_b_16"], metrics=True),
    "diff": lambda: diff(profile(_original(), (1, 3, 8, 8)), profile(_changed(), (1, 3, 8, 8))),
    "hostile": _hostile,
    "parameters": lambda: profile(_original()),
    "deep": lambda: profile(nn.Sequential(*[nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(2000)]), (1, 2)),
}


class Reports:
    """Each report's file and the data that it was made of, made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data: dict[str, Any] = {}

    def __call__(self, name: str) -> Path:
        path = self.folder / f"{name}.html"
        if name not in self.data:
            subject = SUBJECTS[name]()
            self.data[name] = reported(subject).page()
            profiler.report(subject, path)
        return path

    def model(self, name: str) -> Any:
        self(name)
        return self.data[name]["models"][0]


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    return Reports(tmp_path_factory.mktemp("reports"))
