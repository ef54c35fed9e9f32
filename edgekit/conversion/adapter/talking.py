"""How an adapter wants to be talked with, where that differs from its base: chat template and stop tokens.

Tokenizer, stop tokens and embedding are the base bundle's: the engine reads them once, when it opens the base. So an
adapter that was trained with tokens of its own, or that ends its turns in another way, needs a base that knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.container import SectionKind, read_container, section_bytes
from edgekit.bundle.manifest import StopToken
from edgekit.bundle.opening import Bundle
from edgekit.errors import AdapterError, TemplateError
from edgekit.text.generation import read_generation
from edgekit.text.messages import Message
from edgekit.text.template.parse import has_chat_template, read_chat_template
from edgekit.text.template.render import DeviceTemplate, render_for_device
from edgekit.text.template.rewrite import for_device
from edgekit.text.tokenizer.files import TokenizerSettings, read_settings

_BASE_OF_ITS_OWN = (
    "convert a base that has them with --adapters 16, "
    "or convert the adapter merged into its base: edgekit convert ADAPTER"
)


@dataclass(frozen=True)
class OwnTemplate:
    """An adapter's own chat template for the engine. source: None when the base's serves."""

    source: str | None
    notes: tuple[str, ...] = ()
    one_turn: bool = False


def read_chat_template_for(directory: Path, base: Bundle) -> OwnTemplate:
    """Return the adapter's chat template for the engine, None when it has none or renders what the base's renders.

    With it come notes for the user. Raises TemplateError for a template that the engine cannot render, AdapterError
    when it ends the model's turn with a token at which the base does not stop, or names tokens that the base lacks.
    """
    names = read_settings(directory)
    _refuse_new_tokens(names, base, directory)
    if not has_chat_template(directory):
        return OwnTemplate(None)
    stops = _stop_texts(base)
    device = for_device(
        read_chat_template(directory), special_tokens=names.names, stop_tokens=tuple(stops.values())
    )
    if device.end_of_turn is not None and device.end_of_turn not in stops.values():
        raise AdapterError(
            f"the adapter's chat template ends a turn with {device.end_of_turn}, at which the base does not stop",
            where=directory,
            remedy=_BASE_OF_ITS_OWN,
        )
    if _render_alike(device.source, template_of(base)):
        return OwnTemplate(None)
    own = "the adapter was trained with another chat template than the base's, and brings it along"
    return OwnTemplate(device.source, (own, *device.notes), device.one_turn)


def read_stop_tokens(directory: Path, base: Bundle) -> tuple[StopToken, ...]:
    """Return the stop tokens of the adapter's generation_config.json, which must be among the base's; without the file
    the base's."""
    assert base.manifest is not None
    stops, vocabulary = base.manifest.stop_tokens, base.manifest.vocabulary
    known = {stop.ids for stop in stops}
    if vocabulary is not None:  # the adapter was trained with the ids of the whole one
        known = {tuple(vocabulary.old_ids[number] for number in ids) for ids in known}
    wanted = read_generation(directory).eos_token_ids
    if missing := [number for number in wanted if (number,) not in known]:
        raise AdapterError(
            f"the adapter ends its answers with the tokens {missing}, at which the base does not stop",
            where=directory / "generation_config.json",
            remedy=_BASE_OF_ITS_OWN,
        )
    return stops


def _refuse_new_tokens(names: TokenizerSettings, base: Bundle, directory: Path) -> None:
    assert base.manifest is not None
    rows = base.manifest.architecture.vocab_size
    if base.manifest.vocabulary is not None:
        rows = base.manifest.vocabulary.rows
    if new := sorted(token for token, number in names.added.items() if number >= rows):
        shown = ", ".join(new[:5]) + (" …" if len(new) > 5 else "")
        raise AdapterError(
            f"the adapter's tokenizer has tokens that the base lacks: {shown}",
            where=directory,
            remedy=_BASE_OF_ITS_OWN,
        )


def _stop_texts(base: Bundle) -> dict[tuple[int, ...], str]:
    assert base.manifest is not None
    return {stop.ids: stop.text for stop in base.manifest.stop_tokens}


def template_of(base: Bundle) -> str:
    """The chat template in a bundle's metadata; empty when there is none."""
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

    container = read_container(base.model_path)
    for section in container.sections:
        if section.kind is SectionKind.LLM_METADATA:
            return str(LlmMetadata.FromString(bytes(section_bytes(container, section))).jinja_prompt_template)
    return ""


def _render_alike(first: str, second: str) -> bool:
    return first == second or all(_rendered(first, case) == _rendered(second, case) for case in _CASES)


def _rendered(source: str, messages: tuple[Message, ...]) -> str | None:
    template = DeviceTemplate(
        source, writes_bos=False, supports_system=True, end_of_turn=None, after_end_of_turn=""
    )
    try:
        return render_for_device(template, messages, add_generation_prompt=True)
    except TemplateError:  # some refuse some conversations on purpose
        return None


def _said(role: str, text: str) -> Mapping[str, object]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


_CASES: tuple[tuple[Message, ...], ...] = (
    (_said("user", "Hi"),),
    (_said("user", "  two\nlines \n"),),
    (_said("system", "Be brief."), _said("user", "Hi")),
    (_said("user", "Hi"), _said("assistant", " Yes.\n"), _said("user", "And?")),
    (_said("system", "Be brief."), _said("user", "Hi"), _said("assistant", "Yes."), _said("user", "And?")),
)
"""Conversations in which templates are known to differ: space around a text, a system message, a second turn."""
