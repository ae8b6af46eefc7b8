"""How large is a report, and how long does a browser take to open it and to scroll through it?

    python -m tests.benchmarks.report

Each line: layers, bytes of the file and of what it holds besides the application, seconds of making it from a saved
trace, and in headless Chromium the time from opening to the first table, and of a frame while the table is scrolled
from its beginning to its end (the median, and the longest). The aim is an opening under 2 s.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from tabulate import tabulate
from torch import nn

import profiler
from profiler import Profile, profile
from profiler.render.report import page
from tests.browser.conftest import CHROMIUM, READY

LLAMA_405B = (
    "hf:LlamaConfig(hidden_size=16384,intermediate_size=53248,num_hidden_layers=126,num_attention_heads=128,"
    'num_key_value_heads=8,vocab_size=128256,dtype="bfloat16")'
)
FRAMES = """async () => {
    const table = document.querySelector('[role=treegrid]');
    let place = table;
    while (place.scrollHeight <= place.clientHeight + 1) place = place.parentElement;
    const times = [], steps = 60;
    for (let step = 1; step <= steps; step++) {
        const before = performance.now();
        place.scrollTop = place.scrollHeight * step / steps;
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        times.push(performance.now() - before);
    }
    return times;
}"""


class Block(nn.Module):
    """Ten layers and itself, as transformers have them."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.act, self.down = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        y = self.norm1(x)
        x = x + self.o(nn.functional.scaled_dot_product_attention(self.q(y), self.k(y), self.v(y)))
        return x + self.down(self.act(self.up(self.norm2(x))))


SUBJECTS: dict[str, Callable[[], Profile]] = {
    "resnet34": lambda: profile("resnet34"),
    "Llama 3.1 405B": lambda: profile(LLAMA_405B, seq=8),
    "1,500 blocks": lambda: profile(nn.Sequential(*[Block() for _ in range(1500)]), (1, 16, 64)),
}


def lines(browser: Browser, folder: Path) -> Iterator[tuple[Any, ...]]:
    application = len(page({"title": "", "tool": "", "models": []}))
    for name, made in SUBJECTS.items():
        saved = folder / "saved.json.gz"
        made().save(saved)
        before = time.perf_counter()
        trace = Profile.load(saved)
        profiler.report(trace, folder / "report.html")
        seconds = time.perf_counter() - before
        size = (folder / "report.html").stat().st_size
        opening, frames = _opened(browser, folder / "report.html")
        yield (
            name, len(trace.layers), size, size - application, seconds, opening,
            statistics.median(frames), max(frames),
        )  # fmt: skip


def _opened(browser: Browser, path: Path) -> tuple[float, list[float]]:
    """Seconds until the table is there, and milliseconds of each frame of a scroll through all of it."""
    tab = browser.new_page(viewport={"width": 1440, "height": 1000})
    before = time.perf_counter()
    tab.goto(path.as_uri())
    tab.wait_for_selector(READY)
    tab.wait_for_selector("[role=treegrid] tbody tr")
    opening = time.perf_counter() - before
    tab.get_by_role("button", name="Expand all").click()
    frames: list[float] = tab.evaluate(FRAMES)
    tab.close()
    return opening, frames


def main() -> None:
    headings = ("Model", "Layers", "Bytes", "Data", "Made s", "Opened s", "Frame ms", "Longest ms")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        print(tabulate(lines(browser, Path(folder)), headings, floatfmt=".2f", intfmt=","))
        browser.close()


if __name__ == "__main__":
    main()
