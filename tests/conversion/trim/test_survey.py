"""What sizes would cover and weigh, against what conversions then give."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.inspect import inspect
from edgekit.conversion.convert import convert
from edgekit.conversion.options import TextOptions, Trim
from edgekit.conversion.trim.survey import Survey, survey_vocabulary
from edgekit.errors import InputError
from tests.conftest import EXAMPLE


@pytest.fixture(scope="module")
def survey(demo_path: Path, english: Path) -> Survey:
    schema = EXAMPLE / "answer-schema.json"
    return survey_vocabulary(
        demo_path, [english], keep=[600, 800, 1100], answer_schema=schema, recipes=["int8", "int4-all"]
    )


def test_the_texts_are_counted_as_conversion_counts_them(survey: Survey) -> None:
    assert (survey.texts, survey.rows, survey.met) == (2000, 2048, 625)
    assert survey.corpora == ("english.jsonl",)
    assert survey.reach[0].share == 0
    assert survey.reach[-1] == type(survey.reach[-1])(625, 1.0)
    shares = [point.share for point in survey.reach]
    assert shares == sorted(shares)


def test_coverage_grows_with_the_size_and_is_whole_where_the_task_fits(survey: Survey) -> None:
    assert [size.pieces for size in survey.sizes] == [600, 800, 1100, 2048]
    assert [size.fits for size in survey.sizes] == [size.pieces >= survey.needed for size in survey.sizes]
    coverage = [size.coverage for size in survey.sizes]
    assert coverage == sorted(coverage)
    assert 0.8 < coverage[0] < 1
    assert coverage[2:] == [1, 1]
    assert all(size.unseen is not None and size.unseen <= 1 for size in survey.sizes)


@pytest.mark.slow
def test_what_fits_is_what_convert_takes(
    survey: Survey, demo_path: Path, english: Path, tmp_path: Path
) -> None:
    text = TextOptions(answer_schema=EXAMPLE / "answer-schema.json")
    with pytest.raises(InputError, match=f"keep at least {survey.needed:,}"):
        convert(demo_path, tmp_path / "a", text=text, trim=Trim([english], keep=survey.needed - 1))
    assert not (tmp_path / "a").exists()
    trim = Trim([english], keep=survey.needed)
    result = convert(demo_path, tmp_path / "b", text=text, trim=trim, check=False)
    assert result.manifest.architecture.vocab_size == survey.needed


@pytest.mark.parametrize("recipe", ["int8", "int4-all"])
def test_sizes_are_those_of_weights_and_tokenizer(
    survey: Survey, demo_path: Path, english: Path, tmp_path: Path, recipe: str
) -> None:
    bundle = convert(
        demo_path, tmp_path / recipe, recipe=recipe, trim=Trim(texts=[english], keep=1100), check=False
    ).bundle
    parts = inspect(bundle).parts
    weights = sum(parts[name] for name in ("embedding", "attention", "mlp", "norms", "tokenizer"))
    scales = 13 * 6 * 2000 if recipe == "int8" else 0  # channel scales lie in the graph, 12 bytes per row
    assert survey.sizes[2].bytes[recipe] == pytest.approx(weights + scales, rel=0.05)


def test_few_texts_are_not_split(demo_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("brighter\ndarker\n", encoding="utf-8")
    found = survey_vocabulary(demo_path, [path], keep=[1000])
    assert [size.unseen for size in found.sizes] == [None, None]
    assert found.sizes[0].fits


def test_a_small_vocabulary_is_surveyed_in_quarters(demo_path: Path, english: Path) -> None:
    assert [s.pieces for s in survey_vocabulary(demo_path, [english]).sizes] == [512, 1024, 1536, 2048]


def test_a_size_beyond_the_vocabulary_is_refused(demo_path: Path, english: Path) -> None:
    with pytest.raises(InputError, match="2,048 is not from 1 to 2,047"):
        survey_vocabulary(demo_path, [english], keep=[2048])
