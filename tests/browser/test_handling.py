"""Does the page give way: menus that close, charts on paper, tables that go on beyond the edge?"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Reports


@pytest.mark.parametrize("width", [1440, 390])
def test_on_paper_charts_are_as_wide_as_paper(opened: Open, reports: Reports, width: int) -> None:
    page = opened(reports("resnet34"), width)
    drawn = page.locator("section.map canvas")
    shown = drawn.evaluate("canvas => canvas.clientWidth")
    page.emulate_media(media="print")
    expect(page.locator("section.memory canvas")).to_have_css("width", "680px")
    expect(drawn).to_have_css("width", "680px")
    page.emulate_media(media="screen")
    expect(drawn).to_have_css("width", f"{shown}px")


@pytest.mark.parametrize("leave", ["Escape", "Shift+Tab", "click"])
def test_the_menu_of_columns_closes(opened: Open, reports: Reports, leave: str) -> None:
    page = opened(reports("resnet34"))
    menu = page.locator("details.menu")
    menu.locator("summary").click()
    menu.get_by_role("checkbox").first.click()
    expect(menu).to_have_attribute("open", "")
    if leave == "click":
        page.locator("th[data-column=layer] button").click()
    else:
        menu.locator("summary").focus()
        page.keyboard.press(leave)
    expect(menu).not_to_have_attribute("open", "")
    if leave == "Escape":
        expect(menu.locator("summary")).to_be_focused()


def test_a_table_tells_where_more_of_it_follows(opened: Open, reports: Reports) -> None:
    page = opened(reports("resnet34"), 390)
    table = page.locator(".grid-scroll")
    expect(table).to_have_attribute("data-more", "right")
    table.evaluate("table => table.scrollTo(table.scrollWidth, 0)")
    expect(table).to_have_attribute("data-more", "left")
