"""What an opened checkpoint says of itself: digest, terms, where its texts are; and what opening costs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.checkpoint import digest, open_checkpoint, source_files
from tests.fixtures.checkpoints import edit_json, tiny_adapter, tiny_checkpoint


def test_the_digest_is_that_of_a_list_of_checksums(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    lines = "".join(
        f"{hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("config.json", "model.safetensors")
    )
    assert digest(open_checkpoint(tmp_path)) == hashlib.sha256(lines.encode()).hexdigest()


def test_the_digest_stays_when_the_directory_moves(tmp_path: Path) -> None:
    first = digest(open_checkpoint(tiny_checkpoint(tmp_path / "here")))
    (tmp_path / "here").rename(tmp_path / "there")
    assert digest(open_checkpoint(tmp_path / "there")) == first


def test_the_digest_changes_with_whatever_decides_the_bundle(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    digests = [digest(open_checkpoint(tmp_path))]
    content = bytearray((tmp_path / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(content)
    digests.append(digest(open_checkpoint(tmp_path)))
    edit_json(tmp_path / "config.json", rms_norm_eps=1e-5)
    digests.append(digest(open_checkpoint(tmp_path)))
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    digests.append(digest(open_checkpoint(tmp_path)))
    (tmp_path / "generation_config.json").write_text("{}")
    digests.append(digest(open_checkpoint(tmp_path)))
    (tmp_path / "tokenizer.json").write_text("{}")
    digests.append(digest(open_checkpoint(tmp_path)))
    assert len(set(digests)) == 6
    (tmp_path / "README.md").write_text("Words about the model.")
    (tmp_path / "optimizer.pt").write_bytes(b"state")
    assert digest(open_checkpoint(tmp_path)) == digests[-1]


def test_shards_and_base_are_part_of_the_source(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base", shards=2)
    labels = [label for label, _ in source_files(open_checkpoint(tiny_adapter(tmp_path / "adapter", base)))]
    assert labels == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "base/config.json",
        "base/model-00001-of-00002.safetensors",
        "base/model-00002-of-00002.safetensors",
        "base/model.safetensors.index.json",
    ]


@pytest.mark.parametrize(
    ("files", "notice"),
    [
        ({}, None),
        ({"NOTICE": "Terms apply.\n"}, "Terms apply."),
        ({"NOTICE": "Terms apply.", "LICENSE.txt": "Apache"}, "Terms apply.\n\nApache"),
        (
            {"README.md": "---\nlicense: apache-2.0\ntags: [x]\n---\n# Model"},
            "Licence of the model: apache-2.0",
        ),
        (
            {"README.md": "---\nlicense: other\nlicense_name: gemma\nlicense_link: LICENSE\n---\n"},
            "Licence of the model: gemma (LICENSE)",
        ),
        ({"README.md": "# A model\nlicense: none of this"}, None),
    ],
)
def test_the_terms_come_along(files: dict[str, str], notice: str | None, tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert open_checkpoint(tmp_path).notice == notice


def test_an_adapter_brings_the_terms_of_its_base(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    adapter = tiny_adapter(tmp_path / "adapter", base)
    (base / "NOTICE").write_text("Terms of the base.")
    (adapter / "LICENSE").write_text("Terms of the adapter.")
    assert open_checkpoint(adapter).notice == "Terms of the adapter.\n\nTerms of the base."


def test_texts_are_the_adapters_where_it_has_them(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    adapter = tiny_adapter(tmp_path / "adapter", base)
    opened = open_checkpoint(adapter)
    assert (opened.text_path, opened.generation_path) == (base, base)
    (adapter / "tokenizer.json").write_text("{}")
    opened = open_checkpoint(adapter)
    assert (opened.text_path, opened.generation_path) == (adapter, base)
    (adapter / "generation_config.json").write_text("{}")
    assert open_checkpoint(adapter).generation_path == adapter


@pytest.mark.slow
def test_opening_needs_neither_torch_nor_transformers_nor_the_hub(tmp_path: Path) -> None:
    adapter = tiny_adapter(tmp_path / "adapter", tiny_checkpoint(tmp_path / "base"))
    program = f"""
import sys
from edgekit.checkpoint import digest, open_checkpoint
checkpoint = open_checkpoint({str(adapter)!r})
digest(checkpoint)
for tensor in checkpoint.tensors.values():
    tensor.read()
heavy = {{"torch", "transformers", "peft", "tensorflow", "huggingface_hub", "tokenizers"}}
print(sorted(heavy & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
