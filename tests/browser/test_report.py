"""The report of a model in Chromium: what it shows is the profile, and it can be searched, sorted, zoomed and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Locator, Page, expect

from profiler.render import numbers
from profiler.render.report.data import value_data
from profiler.render.tables import Unit
from tests.browser.conftest import Open, Reports
from tests.hostile_names import HOSTILE
from tests.laws import share

SHOWN = """elements => elements.map(e => [e.closest('tr')?.dataset.path, e.dataset.column ?? e.dataset.figure,
    (e.querySelector('[data-value]') ?? e).dataset.value, e.innerText])"""
MODELS = ("resnet34", "vit_b_16", "step")


def grid(page: Page) -> Locator:
    return page.get_by_role("treegrid").first


def row(page: Page, path: str) -> Locator:
    return grid(page).locator(f"tr[data-path={json.dumps(path)}]")


def paths(page: Page) -> list[str]:
    """Of the layers that are shown now."""
    found: list[str] = grid(page).locator("tbody tr[data-path]").evaluate_all("rows => rows.map(r => r.dataset.path)")
    return found


def texts(model: Any) -> dict[tuple[str, str], str]:
    """What each cell of the table of layers has to say, by path and column."""
    return {
        (path, column["name"]): written(column["values"][i], column["unit"])
        for column in model["layers"]["columns"]
        for i, path in enumerate(model["paths"])
    }


def written(value: Any, unit: str) -> str:
    if unit in ("shape", "text"):
        return value or ""
    return numbers.text(int(value) if isinstance(value, str) and value else value, Unit(unit))


# What is shown --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_number_is_the_profiles(opened: Open, reports: Reports, name: str) -> None:
    page, model = opened(reports(name)), reports.model(name)
    page.get_by_role("button", name="Expand all").click()
    expected = texts(model)
    cells = grid(page).locator("tbody td[data-column], tbody th[data-column]").evaluate_all(SHOWN)
    compared = 0
    for path, column, _, text in cells:
        if (path, column) in expected and column != "layer":
            assert text.strip() == expected[path, column], (path, column)
            compared += 1
    assert compared > 100


@pytest.mark.parametrize("name", MODELS)
def test_the_cards_are_the_totals(opened: Open, reports: Reports, name: str) -> None:
    page, model = opened(reports(name)), reports.model(name)
    for total in model["totals"]:
        card = page.locator(f"[data-total={total['name']}]")
        value = "" if total["value"] is None else str(total["value"])
        assert float(card.get_attribute("data-value") or "nan") == float(value)
        expect(card).to_contain_text(written(total["value"], total["unit"]))
        expect(card).to_contain_text(total["formula"])


UNITS = [unit for unit in Unit if unit not in (Unit.TEXT, Unit.SHAPE, Unit.MIXED, Unit.NUMBER, Unit.BAR)]
WHOLE = (
    Unit.EXACT, Unit.COUNT, Unit.AMOUNT, Unit.DIFFERENCE, Unit.BYTES, Unit.KB, Unit.MB, Unit.GB, Unit.NANOSECONDS,
)  # fmt: skip
SIGNED = (Unit.DIFFERENCE, Unit.GROWTH, Unit.LONGER)
positive = st.floats(1e-9, 1e15) | st.floats(1e-9, 1) | st.just(0.0)


@st.composite
def values(draw: st.DrawFn) -> tuple[Any, Unit]:
    unit = draw(st.sampled_from(UNITS))
    numbers_of = st.integers(0, 10**20) | st.integers(0, 10**7) if unit in WHOLE else positive
    value = draw(numbers_of)
    return (-value if unit in SIGNED and draw(st.booleans()) else value), unit


@pytest.fixture(scope="module")
def formatting(browser: Any, reports: Reports) -> Any:
    page = browser.new_page()
    page.goto(reports("parameters").as_uri())
    page.wait_for_selector("main[data-ready]")
    yield page
    page.close()


@share(15)
@given(samples=st.lists(values(), min_size=20, max_size=60))
def test_numbers_are_written_as_everywhere(formatting: Page, samples: list[tuple[Any, Unit]]) -> None:
    asked = [[value_data(value, unit), unit.value] for value, unit in samples]
    answers = formatting.evaluate(
        "pairs => pairs.map(([value, unit]) => window.profileModel.format(value, unit))", asked
    )
    assert answers == [numbers.text(value, unit) for value, unit in samples]


def test_how_it_was_run_and_what_was_counted(opened: Open, reports: Reports) -> None:
    page, model = opened(reports("resnet34")), reports.model("resnet34")
    for label, text in model["about"]:
        expect(page.locator(f"[data-about={json.dumps(label)}]")).to_contain_text(text)
    expect(page.locator("[data-coverage]")).to_contain_text("124 known, 1 free, 0 unknown")


def test_what_was_not_counted_is_in_plain_sight(opened: Open, tmp_path: Path, reports: Reports) -> None:
    html = reports("resnet34").read_text()
    path = tmp_path / "unknown.html"
    changed = html.replace('"unknown_ops":[]', '"unknown_ops":[["aten.foo.default",3]]').replace(
        '{"known":124,"free":1,"unknown":0}', '{"known":121,"free":1,"unknown":3}'
    )
    path.write_text(changed)
    page = opened(path)
    notice = page.locator("[data-coverage=partial]")
    expect(notice).to_contain_text("aten.foo.default")
    expect(notice).to_be_in_viewport()


# Looking into it ------------------------------------------------------------------------------------------------------


def test_search(opened: Open, reports: Reports) -> None:
    page, model = opened(reports("resnet34")), reports.model("resnet34")
    page.get_by_role("searchbox").fill("downsample")
    matching = [path for path in model["paths"] if "downsample" in path]
    expect(page.locator("output.found")).to_have_text(f"{len(matching)} of {len(model['paths'])} layers")
    assert set(matching) <= set(paths(page))
    assert all(any(other.startswith(path) for other in matching) for path in paths(page) if path)
    page.get_by_role("searchbox").fill("layer1.*.conv?")
    expect(page.locator("output.found")).to_have_text(f"6 of {len(model['paths'])} layers")
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.locator("output.found")).to_have_text(f"0 of {len(model['paths'])} layers")


def test_sort_keeps_the_tree_and_a_flat_list_does_not(opened: Open, reports: Reports) -> None:
    page, model = opened(reports("resnet34")), reports.model("resnet34")
    params = dict(zip(model["paths"], texts_of(model, "params"), strict=True))
    header = grid(page).locator("thead [data-column=params]")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    top = [path for path in paths(page) if path and "." not in path]
    assert [params[path] for path in top] == sorted((params[path] for path in top), reverse=True)
    page.get_by_label("Flat list of layers").check()
    flat = paths(page)
    assert [params[path] for path in flat] == sorted((params[path] for path in flat), reverse=True)
    assert "layer4" not in flat


def texts_of(model: Any, column: str) -> list[Any]:
    (values,) = (c["values"] for c in model["layers"]["columns"] if c["name"] == column)
    return list(values)


def test_the_keyboard_walks_the_tree(opened: Open, reports: Reports) -> None:
    page = opened(reports("resnet34"))
    page.get_by_role("button", name="Collapse all").click()
    row(page, "layer1").focus()
    assert row(page, "layer1").get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowRight")
    expect(row(page, "layer1")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowRight")
    expect(row(page, "layer1.0")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(row(page, "layer1.1")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator('[data-panel="layer1.1"]')).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(row(page, "layer1")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(row(page, "layer1")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("End")
    expect(row(page, "fc")).to_be_focused()
    page.keyboard.press("Home")
    expect(row(page, "")).to_be_focused()


def test_a_layer_is_looked_into(opened: Open, reports: Reports) -> None:
    page, model = opened(reports("resnet34")), reports.model("resnet34")
    row(page, "conv1").click()
    panel = page.locator('[data-panel="conv1"]')
    detail = model["details"][model["detail"][model["paths"].index("conv1")]]
    for text in (*detail["inputs"], *detail["outputs"]):
        expect(panel).to_contain_text(text)
    macs = 64 * 112 * 112 * 3 * 7 * 7
    expect(panel).to_contain_text(f"= {macs:,}")
    for convention in model["conventions"]:
        counted = panel.locator(f"[data-convention={json.dumps(convention['name'])}]")
        expect(counted).to_contain_text(f"{convention['total'][model['paths'].index('conv1')]:,}")


def test_the_map_is_linked_to_the_table(opened: Open, reports: Reports) -> None:
    page = opened(reports("resnet34"))
    crumbs = page.get_by_role("navigation", name="Layer that the map shows")
    expect(crumbs.get_by_role("button")).to_have_count(1)
    row(page, "layer3").click()
    page.get_by_role("button", name="Zoom to selected layer").click()
    expect(crumbs.get_by_role("button")).to_have_text(["resnet34", "layer3"])
    crumbs.get_by_role("button", name="resnet34").click()
    expect(crumbs.get_by_role("button")).to_have_count(1)
    drawing = page.locator("section.map [role=img]")
    box = drawing.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    expect(crumbs.get_by_role("button")).not_to_have_count(1)
    selected = page.locator("[data-panel]").get_attribute("data-panel")
    assert selected
    expect(grid(page).locator("tr[aria-selected=true]")).to_have_count(1)


@pytest.mark.parametrize("measure", ["Parameters", "MACs", "FLOPs", "Activations", "Read and written"])
def test_the_bars_show_the_chosen_figure(opened: Open, reports: Reports, measure: str) -> None:
    page, model = opened(reports("resnet34")), reports.model("resnet34")
    chosen = page.locator("section.map select")
    labels = [option.strip() for option in chosen.locator("option").all_inner_texts()]
    chosen.select_option(index=labels.index(measure))
    figure = next(m for m in model["measures"] if m["heading"] == measure)
    own = dict(zip(model["paths"], figure["own"], strict=True))
    whole = sum(own.values())
    inside = sum(amount for path, amount in own.items() if path.startswith("layer2"))
    expect(row(page, "layer2").locator("[data-column=bar]")).to_contain_text(f"{100 * inside / whole:.1f}")


def test_what_is_alive_at_a_call(opened: Open, reports: Reports) -> None:
    page, model = opened(reports("resnet34")), reports.model("resnet34")
    alive, memory = page.locator(".alive"), model["memory"]
    alive.scroll_into_view_if_needed()
    expect(alive).to_have_attribute("data-call", str(memory["peak"]))
    slider = page.get_by_role("slider", name="Operator call")
    slider.focus()
    page.keyboard.press("ArrowRight")
    call = memory["peak"] + 1
    expect(alive).to_have_attribute("data-call", str(call))
    expect(alive).to_contain_text(numbers.with_unit(memory["live"][call]))


def test_the_roofline_is_there_where_a_device_is(opened: Open, reports: Reports) -> None:
    page = opened(reports("vit_b_16"))
    expect(page.get_by_role("heading", name="Roofline")).to_have_count(1)
    expect(page.locator("body")).to_contain_text("lower bound")
    expect(opened(reports("resnet34")).get_by_role("heading", name="Roofline")).to_have_count(0)


def test_a_model_that_did_not_run(opened: Open, reports: Reports) -> None:
    page = opened(reports("parameters"))
    expect(page.locator("main")).to_have_attribute("data-ready", "true")
    expect(page.locator("body")).to_contain_text("Nothing ran")


# Several models, and changes ------------------------------------------------------------------------------------------


def test_a_comparison_links_to_each_model(opened: Open, reports: Reports) -> None:
    page = opened(reports("comparison"))
    table = reports.data["comparison"]["comparison"]["table"]
    (macs,) = (column for column in table["columns"] if column["name"] == "macs")
    shown = page.locator("tbody [data-column=macs]").all_inner_texts()
    assert [text.strip() for text in shown] == [written(value, macs["unit"]) for value in macs["values"]]
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="mobilenet_v2").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("mobilenet_v2")
    expect(page.locator("[data-total=params]")).to_contain_text("3,504,872")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("mobilenet_v2")


def test_a_diff_says_what_changed(opened: Open, reports: Reports) -> None:
    page = opened(reports("diff"))
    expect(grid(page).locator("tbody tr[data-status]").first).to_be_visible()
    statuses = (
        grid(page)
        .locator("tbody tr[data-status]")
        .evaluate_all("rows => rows.map(r => [r.dataset.path, r.dataset.status])")
    )
    changes = reports.data["diff"]["diff"]["changes"]
    assert {change["status"] for change in changes} <= {status for _, status in statuses}
    expect(page.locator("body")).to_contain_text("removed")
    before, after = 3 * 9 * 8 + 8 + 2 * 8 + 288 * 10 + 10, 3 * 9 * 8 + 8 + 288 * 5 + 5
    expect(page.locator("body")).to_contain_text(f"{after - before:+,}")


# Names are data -------------------------------------------------------------------------------------------------------


def test_hostile_names_are_text(opened: Open, reports: Reports) -> None:
    path = reports("hostile")
    page, data = opened(path), reports.data["hostile"]
    labels = [str(value) for value in data["comparison"]["table"]["columns"][0]["values"]]
    shown = page.locator("tbody [data-column=model]").evaluate_all("cells => cells.map(c => c.textContent)")
    for label, text in zip(labels, shown, strict=True):
        assert label[:60] in text
    page.goto(f"{path.as_uri()}#model=0")
    page.wait_for_selector("[role=treegrid]")
    page.get_by_role("button", name="Expand all").click()
    assert set(data["models"][0]["paths"]) >= set(paths(page))
    assert len(paths(page)) > len(HOSTILE) / 2
    for name in paths(page)[:8]:
        row(page, name).click()
    assert page.evaluate("document.scripts.length") == 2
    assert page.evaluate("document.querySelectorAll('img, svg[onload], iframe, [onerror]').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_script_that_is_slipped_in_does_not_run(browser: Any, tmp_path: Path, reports: Reports) -> None:
    """The policy holds even where the escaping would not."""
    path = tmp_path / "x.html"
    path.write_text(
        reports("parameters")
        .read_text()
        .replace(
            '<main id="report">',
            '<main id="report"><script>document.title = "run"</script><b onclick="document.title=1">b</b>',
        )
    )
    page = browser.new_page()
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_selector("main[data-ready]")
    assert page.title() != "run"
    assert any("Content Security Policy" in text for text in blocked)
    page.close()


# Every screen and reader ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1440, 1024, 390])
@pytest.mark.parametrize("name", ["resnet34", "vit_b_16", "comparison", "diff", "hostile"])
def test_it_fits_the_width(opened: Open, reports: Reports, name: str, width: int) -> None:
    page = opened(reports(name), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["vit_b_16", "comparison", "diff"])
def test_no_serious_obstacle_to_anyone(opened: Open, reports: Reports, name: str, width: int, scheme: str) -> None:
    """By axe-core: https://github.com/dequelabs/axe-core."""
    from axe_playwright_python.sync_playwright import Axe

    page = opened(reports(name), width, color_scheme=scheme)
    page.wait_for_timeout(300)
    found = Axe().run(page).response["violations"]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["html"][:160] for node in v["nodes"][:3]]) for v in serious] == []


def test_the_theme_can_be_chosen(opened: Open, reports: Reports) -> None:
    page = opened(reports("resnet34"))
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_label("Theme").select_option("dark")
    assert page.evaluate(colour) != light
    page.get_by_label("Theme").select_option("auto")
    assert page.evaluate(colour) == light


def test_on_paper_every_row_is_there(opened: Open, reports: Reports) -> None:
    page, model = opened(reports("resnet34")), reports.model("resnet34")
    page.get_by_role("button", name="Expand all").click()
    assert len(paths(page)) < len(model["paths"])
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(grid(page).locator("tbody tr[data-path]")).to_have_count(len(model["paths"]))


def test_rows_out_of_sight_are_not_there(opened: Open, reports: Reports) -> None:
    page, model = opened(reports("deep")), reports.model("deep")
    page.get_by_role("button", name="Expand all").click()
    assert grid(page).get_attribute("aria-rowcount") == str(len(model["paths"]) + 1)
    assert len(paths(page)) < 200
    grid(page).locator("tbody tr[data-path]").first.focus()
    page.keyboard.press("End")
    expect(row(page, "1999.1")).to_be_focused()
