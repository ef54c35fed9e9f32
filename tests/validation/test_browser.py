"""Reports in headless Chromium: nothing fetched, nothing on the console, readable on a phone, in the dark, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.validation.page import render_html
from edgekit.validation.report import Parity
from tests.html.browser import OUTSIDE, SIDEWAYS, Browser, open_browser, why_no_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_no_browser() is not None, reason=why_no_browser() or ""),
]

PHONE, DESKTOP = 390, 1200

FONT_SIZES = """
const svg = document.querySelector('svg.plot'), scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
return [...svg.querySelectorAll('text')].map(e => parseFloat(getComputedStyle(e).fontSize) * scale);
"""
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"
LINE = "return getComputedStyle(document.querySelector('.plot .line')).stroke"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_page_fits_is_quiet_and_stays_offline(
    browser: Browser, tmp_path: Path, any_report: Parity, width: int
) -> None:
    page = tmp_path / "validate.html"
    page.write_text(render_html(any_report), "utf-8")
    browser.log()
    browser.requests()
    browser.open(page, width=width)
    browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(OUTSIDE) == []
    if width == PHONE:
        assert browser.run(SIDEWAYS) == []
    assert browser.run("return window.hacked") is None
    assert browser.log() == []
    assert set(browser.requests()) <= {page.as_uri(), "data:,"}


def test_plots_can_be_read_on_a_phone_and_follow_the_colour_scheme(
    browser: Browser, tmp_path: Path, plain_report: Parity
) -> None:
    page = tmp_path / "validate.html"
    page.write_text(render_html(plain_report), "utf-8")
    browser.open(page, width=PHONE)
    assert min(browser.run(FONT_SIZES)) >= 8.5
    light = browser.run(BACKGROUND), browser.run(LINE)
    browser.open(page, width=PHONE, dark=True)
    dark = browser.run(BACKGROUND), browser.run(LINE)
    assert light[0] == "rgb(244, 245, 247)" and dark[0] == "rgb(16, 19, 23)"
    assert light[1] != dark[1]
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 50_000


def test_a_page_prints(browser: Browser, tmp_path: Path, plain_report: Parity) -> None:
    page = tmp_path / "validate.html"
    page.write_text(render_html(plain_report), "utf-8")
    browser.open(page, width=DESKTOP, dark=True)
    assert browser.pdf().startswith(b"%PDF")


def test_the_page_itself_forbids_scripts(browser: Browser, tmp_path: Path, plain_report: Parity) -> None:
    page = tmp_path / "validate.html"
    page.write_text(render_html(plain_report), "utf-8")
    page.write_text(page.read_text().replace("</main>", "<script>window.hacked = 1</script></main>"))
    browser.open(page, width=DESKTOP)
    assert browser.run("return window.hacked") is None
    assert any("Content Security Policy" in message for message in browser.log())
