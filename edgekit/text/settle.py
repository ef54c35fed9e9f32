"""What follows from tokenizer, chat template and generation settings together, settled once for all who need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgekit.calling.calls import RESPONSE_BEGIN
from edgekit.calling.tokens import writes_calls
from edgekit.progress import SILENT, Progress
from edgekit.text.generation import GenerationDefaults, Sampler, read_generation
from edgekit.text.template.parse import ChatTemplate, read_chat_template
from edgekit.text.template.render import DeviceTemplate
from edgekit.text.template.rewrite import for_device
from edgekit.text.tokenizer.read import END_OF_TURN, read_tokenizer
from edgekit.text.tokenizer.section import Tokenizer
from edgekit.text.tokenizer.spelling import with_spaces


@dataclass(frozen=True)
class Text:
    """How text goes into and comes out of a model: all of it that a bundle needs."""

    tokenizer: Tokenizer
    template: ChatTemplate
    device: DeviceTemplate
    generation: GenerationDefaults
    sampler: Sampler
    stop_ids: tuple[int, ...]
    """Every token that ends the model's turn. The first is the one that the chat template writes there: it is also
    what the engine's constrained decoding ends an answer with."""
    notes: tuple[str, ...] = field(default=())
    """What a user should know, of tokenizer, template and stop tokens."""
    calls: bool = False
    """Whether it was trained to call functions in FunctionGemma's tokens."""

    @property
    def start_id(self) -> int | None:
        """The token that the engine puts before a conversation; None when training put none there."""
        return self.tokenizer.bos_id if self.device.writes_bos else None

    @property
    def suppressed_ids(self) -> tuple[int, ...]:
        """The tokens that must not be generated while answers are held to a format.

        Constrained decoding ends an answer with the first stop token and knows nothing of the others: inside a JSON
        string they pass as text, and the engine would stop there. And it takes the spelling of a byte's token,
        "<0x22>", for its text: left alone that lets a quote or a control character into a JSON string.
        """
        # What ends a call is part of the format of calls.
        ends_call = self.tokenizer.id_of(RESPONSE_BEGIN) if self.calls else None
        return (*(i for i in self.stop_ids[1:] if i != ends_call), *self.tokenizer.ascii_bytes)

    @property
    def special_tokens(self) -> dict[str, str]:
        """The texts of the control tokens by Transformers' names, as a chat template sees them."""
        return dict(self.tokenizer.names)


def read_text(
    directory: Path,
    *,
    rows: int,
    generation_directory: Path | None = None,
    sampler: Sampler | None = None,
    progress: Progress = SILENT,
) -> Text:
    """Read tokenizer, chat template and generation settings of a checkpoint, and settle what follows from them.

    rows: rows of the embedding.
    generation_directory: where generation_config.json is, if elsewhere (an adapter may leave it to its base).
    sampler: instead of what generation_config.json asks for.
    Raises CheckpointError, TokenizerError or TemplateError.
    """
    generation = read_generation(generation_directory or directory)
    tokenizer = read_tokenizer(directory, rows=rows, progress=progress)
    template = read_chat_template(directory)
    calls = writes_calls(tokenizer.special, template.source)
    device = for_device(
        template,
        special_tokens=tokenizer.names,
        stop_tokens=[token for token in tokenizer.special if token.strip()],
        calls=calls,
    )
    ends = _end_tokens(tokenizer, device, generation)
    if calls:
        tokenizer = with_spaces(tokenizer, directory, rows=rows)
        ends = list(dict.fromkeys([*ends, tokenizer.special[RESPONSE_BEGIN]]))
    stop_ids = [i for i in ends if i < rows]
    notes = [*tokenizer.notes, *template.notes, *device.notes]
    ends_call = {tokenizer.special[RESPONSE_BEGIN]} if calls else set()
    forgotten = sorted(set(stop_ids) - set(generation.eos_token_ids) - ends_call)
    if generation.eos_token_ids and forgotten:
        notes.append(
            f"generation_config.json ends generation at {list(generation.eos_token_ids)}; "
            f"added {forgotten}, which end the model's turn too"
        )
    if generation.without:
        notes.append(
            f"generation_config.json has {', '.join(generation.without)}, for which the engine has no such setting: "
            "answers will differ from Transformers'"
        )
    if beyond := sorted(i for i in ends if i >= rows):
        notes.append(f"left out the stop tokens {beyond}: the embedding has only {rows:,} rows")
    if tokenizer.adds_bos and not device.writes_bos:
        notes.append(
            "the chat template starts without the BOS token, so chats have none, as in Transformers' "
            "apply_chat_template"
        )
    return Text(
        tokenizer=tokenizer,
        template=template,
        device=device,
        generation=generation,
        sampler=sampler or generation.sampler,
        stop_ids=tuple(stop_ids),
        notes=tuple(notes),
        calls=calls,
    )


def _end_tokens(tokenizer: Tokenizer, device: DeviceTemplate, generation: GenerationDefaults) -> list[int]:
    """The ids that end the model's turn, the chat template's own first."""
    written = device.end_of_turn or END_OF_TURN
    rest = {*generation.eos_token_ids, tokenizer.id_of(END_OF_TURN), tokenizer.eos_id}
    ids = [tokenizer.id_of(written), *sorted(i for i in rest if i is not None)]
    return list(dict.fromkeys(i for i in ids if i is not None))
