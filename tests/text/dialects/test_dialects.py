"""A dialect is one file: another one is recognised and told to the engine without a change elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

from edgekit.bundle.container import SectionKind, read_container, section_bytes
from edgekit.bundle.inspect import inspect
from edgekit.conversion.convert import convert
from edgekit.text import dialects
from edgekit.text.dialects import dialect_of
from edgekit.text.dialects.base import ModelType
from edgekit.text.settle import Text, read_text


class Shouting:
    """Calls a tool by its name in capitals, behind the token that a fine-tune uses for it."""

    name = "shouting"

    def recognises(self, text: Text) -> bool:
        return text.tokenizer.id_of("<eos>") is not None and "start_of_turn" in text.template.source

    def model_type(self, text: Text) -> ModelType:
        return ModelType("function_gemma", {"code_fence_start": "<call>", "use_template_for_fc_format": True})


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "DIALECTS", (Shouting(), *dialects.DIALECTS))


def metadata_of(model: Path) -> LlmMetadata:
    container = read_container(model)
    (section,) = (s for s in container.sections if s.kind is SectionKind.LLM_METADATA)
    return LlmMetadata.FromString(bytes(section_bytes(container, section)))


def test_the_engine_is_told_the_type_of_the_dialect(shouting: None, demo_path: Path, tmp_path: Path) -> None:
    made = convert(demo_path, tmp_path / "b", check=False)
    told = metadata_of(made.model).llm_model_type
    assert told.WhichOneof("model_type") == "function_gemma"
    assert told.function_gemma.code_fence_start == "<call>"
    assert told.function_gemma.use_template_for_fc_format
    llm = inspect(made.bundle).llm
    assert llm is not None and llm.model_type == "function_gemma"


def test_without_it_the_demo_speaks_gemma(demo_path: Path, tmp_path: Path) -> None:
    text = read_text(demo_path, rows=2048)
    assert dialect_of(text).name == "gemma"
    made = convert(demo_path, tmp_path / "b", check=False)
    assert metadata_of(made.model).llm_model_type.WhichOneof("model_type") == "generic_model"


def test_each_file_of_the_package_is_in_the_tuple() -> None:
    files = {path.stem for path in Path(dialects.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert files == {dialect.name for dialect in dialects.DIALECTS}
