"""The index of a delivery: what both readers read, and what both refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.delivery.index import index_bytes, read_index
from edgekit.bundle.signature import SignatureFaultError
from edgekit.errors import BundleError
from tests.fixtures.deliveries import FOLDER, INDEX, examples, signing_key

SHARED = Path(__file__).parents[3] / FOLDER
REFUSED = sorted(path.stem for path in (SHARED / "refused").iterdir())
UNSIGNED = {
    "by-another-key": "of another key",
    "by-another-key-that-lies": "changed since",
    "changed": "changed since",
    "cut": "changed since",
    "empty": "no signature",
    "of-a-bundle": "no delivery",
    "of-another-form": "no delivery",
}


def test_the_android_module_reads_what_is_written_here(tmp_path: Path) -> None:
    lying = {
        path.relative_to(SHARED).as_posix(): path.read_bytes() for path in SHARED.rglob("*") if path.is_file()
    }
    assert lying == examples(tmp_path)


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    assert (SHARED / "index.txt").read_bytes() == index_bytes(INDEX, key)
    read = read_index(index_bytes(INDEX, key), key.public, "it")
    assert (read.index, read.key) == (INDEX, key.public.id)
    assert [path for path, _ in INDEX.places][-1] == "adapters/sentiment/s.lora.tflite"


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_delivery_says_is_refused(name: str, tmp_path: Path) -> None:
    content = (SHARED / "refused" / f"{name}.txt").read_bytes()
    key = signing_key(tmp_path).public
    if name in UNSIGNED:
        with pytest.raises(SignatureFaultError, match=UNSIGNED[name]):
            read_index(content, key, "it")
    else:
        with pytest.raises(BundleError):
            read_index(content, key, "it")


def test_without_a_key_it_is_read_but_nobody_is_trusted(tmp_path: Path) -> None:
    content = (SHARED / "refused/by-another-key.txt").read_bytes()
    assert read_index(content, None, "it").key == signing_key(tmp_path, 2).public.id
