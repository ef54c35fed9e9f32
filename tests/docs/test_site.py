"""The site: links lead somewhere, pictures are there and small, generated pages tell what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import __main__ as generate
from tests.docs.pages import PAGES, ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
WORDS = 12_000


@pytest.fixture(scope="session")
def reference() -> dict[str, str]:
    return generate.reference()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_of_a_page_lead_to_files(page: Path, reference: dict[str, str]) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in _LINK.findall(text):
        target = link.partition("#")[0]
        if target and "://" not in target:
            file = (page.parent / target).resolve()
            made = file.is_relative_to(ROOT / "docs/reference") and (
                str(file.relative_to(ROOT / "docs/reference")) in reference
            )
            assert file.exists() or made, f"{link} leads nowhere"


def test_every_command_has_a_page_with_its_options(reference: dict[str, str]) -> None:
    assert "`--recipe &lt;" not in reference["cli/convert.md"]  # in code nothing is escaped
    assert "`--recipe <str>`" in reference["cli/convert.md"]
    for name in ("convert", "validate", "bench", "package", "adapter", "vocab", "inspect", "chat", "demo"):
        assert f"edgekit {name}" in reference[f"cli/{name}.md"]


def test_recipes_checks_and_python_are_told(reference: dict[str, str]) -> None:
    import edgekit
    from edgekit.recipes import shipped_recipes

    for recipe in shipped_recipes():
        assert f"## {recipe.name}" in reference["recipes.md"]
    for name in edgekit.__all__:
        assert name.startswith("__") or f"### {name}" in reference["python.md"]
    assert "max_kl" in reference["checks.md"]


def test_the_table_of_recipes_in_the_readme_is_up_to_date() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert generate.readme_with_table(readme) == readme, "run python -m docs.generate --readme"


def test_the_pages_stay_short() -> None:
    by_hand = {*PAGES, ROOT / "CHANGELOG.md"} - {
        ROOT / "docs" / "benchmarks.md"
    }  # which `make benchmarks` writes
    words = sum(len(page.read_text(encoding="utf-8").split()) for page in by_hand)
    assert words <= WORDS
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "images").rglob("*.*"):
        assert picture.stat().st_size < 200_000, picture


@pytest.mark.slow
def test_the_site_builds_and_every_link_of_it_leads_somewhere(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the site is built with the extra `docs`")
    sources, config = tmp_path / "docs", tmp_path / "mkdocs.yml"
    generate.lay_out(sources)
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config.write_text(settings.replace("build/docs", "docs").replace("build/site", "site"), encoding="utf-8")
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "site" / "reference" / "cli" / "convert.html").exists()
