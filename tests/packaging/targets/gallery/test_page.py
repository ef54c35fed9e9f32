"""The import card: every value on it, what differs marked, as a page and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.files.whole import write_whole
from edgekit.packaging.golden import Golden
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.card import ImportCard
from edgekit.packaging.targets.gallery.page import import_page, render_html, render_markdown
from edgekit.packaging.targets.gallery.trial import Trial
from tests.html.browser import OUTSIDE, SIDEWAYS, Browser, open_browser, why_no_browser
from tests.html.html import find, read_html
from tests.packaging.targets.gallery.conftest import with_task

PASSED = Trial("passed", "the Gallery's runtime answers as this machine's")
GOLDEN = (Golden("my screen is too dark", '{"screen": "display"}'),)


@pytest.fixture(scope="module")
def card(source: Source) -> ImportCard:
    return ImportCard(
        with_task(
            replace(source, manifest=replace(source.manifest, kv_length=2048)),
            title="Navigator <&>",
            golden=GOLDEN,
        ),
        PASSED,
    )


@pytest.fixture(scope="module")
def held(card: ImportCard) -> ImportCard:
    """One with an answer format and a system prompt, neither of which the Gallery has a place for."""
    return replace(
        card,
        source=with_task(
            replace(
                card.source,
                manifest=replace(card.source.manifest, answer={"kind": "regex", "regex": "on|off"}),
            ),
            system_prompt="You find settings.\nAnswer in JSON.",
        ),
    )


def test_every_value_is_on_the_page_and_those_to_change_are_marked(card: ImportCard) -> None:
    html = render_html(card)
    badges = ["".join(found.inside) for found in find(read_html(html), "span", class_="warning")]
    for value in ("2048", "1", "0.0"):
        assert any(badge.split()[-1] == value for badge in badges), value
    assert "Change 3 values in the import dialog" in html
    assert "Navigator &lt;&amp;&gt;" in html
    assert card.manifest.model.sha256 in html
    assert "http" not in html.replace("http-equiv", "")


def test_markdown_says_the_same(card: ImportCard) -> None:
    text = render_markdown(card)
    assert "# Navigator \\<&\\>: import card" in text
    assert "| Max tokens | **2048** | 1024 |" in text
    assert "| TopK | **1** | 64 |" in text
    assert "| TopP | 0.95 | 0.95 |" in text
    assert "| Temperature | **0.0** | 1.0 |" in text
    assert "adb shell am force-stop com.google.ai.edge.gallery" in text
    assert "The Gallery's runtime answers as this machine's." in text


def test_golden_answers_are_shown_where_the_gallery_can_give_the_same(
    card: ImportCard, held: ImportCard
) -> None:
    assert '→ \\{"screen": "display"\\}' in render_markdown(card)
    for text in (render_markdown(held), render_html(held)):
        assert "my screen is too dark" in text
        assert 'screen": ' not in text and "screen&#34;: " not in text


def test_what_the_gallery_has_no_place_for_is_told(card: ImportCard, held: ImportCard) -> None:
    for text in (render_markdown(held), render_html(held)):
        assert "answers are not held to it" in text
        assert "no place for one: the model runs without it" in text
        assert "You find settings." in text
    assert "no place" not in render_markdown(card)


def test_a_bundle_that_the_runtime_refuses_says_so_first(card: ImportCard) -> None:
    refused = replace(card, trial=Trial("failed", "it crashed (SIGSEGV)"))
    assert import_page(refused).verdict.outcome == "failed"
    assert "It crashed (SIGSEGV)." in render_html(refused)
    assert render_markdown(refused).splitlines()[2].startswith("Does not run on the Gallery's runtime")


def test_the_same_card_gives_the_same_bytes(card: ImportCard) -> None:
    assert render_html(card) == render_html(replace(card))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.mark.skipif(why_no_browser() is not None, reason=why_no_browser() or "")
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits(browser: Browser, held: ImportCard, tmp_path: Path, width: int) -> None:
    page = tmp_path / "card.html"
    write_whole(page, render_html(held))
    browser.log()
    browser.open(page, width=width)
    browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(OUTSIDE) == []
    if width == 390:
        assert browser.run(SIDEWAYS) == []
    assert browser.log() == []
