"""The examples' tokenizers, made twice over: for SentencePiece (tokenizer.model) and for Hugging Face (tokenizer.json).

Both say the same ids, as Gemma's two files do: BPE with byte fallback, no dummy prefix, no normalization.
"""

from __future__ import annotations

import io
import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import GemmaTokenizer

VOCAB_SIZE = 2048
SPACE = "\u2581"  # how SentencePiece writes a space
START_OF_TURN, END_OF_TURN = "<start_of_turn>", "<end_of_turn>"
CONTROL = ("<pad>", "<eos>", "<bos>")
SPECIAL = (*CONTROL, "<unk>", "<mask>", START_OF_TURN, END_OF_TURN)
WHITESPACE_RUNS = ("\t", "\n", "\n\n", "\n\n\n", "\n\n\n\n", SPACE * 2, SPACE * 3, SPACE * 4)
KANA = "".join(map(chr, (*range(0x3041, 0x3094), *range(0x30A1, 0x30F7), 0x30FC)))
LETTERS = (
    string.ascii_letters + string.digits + string.punctuation + "æøåÆØÅéèòóôü、。「」・…\uff01\uff1f" + KANA
)


def train_sentencepiece(
    lines: list[str], further: Sequence[str] = (), *, longest: int = 16, mixed: bool = False
) -> bytes:
    """Train the SentencePiece model and return its serialized form. No file names end up inside it.

    further: control tokens beside those of every Gemma. mixed: letters and punctuation may be one
    piece, and pieces be longer, which makes calls short.
    """
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCAB_SIZE,
        byte_fallback=True,
        character_coverage=1.0,
        required_chars=LETTERS,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_digits=True,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        unk_piece="<unk>",
        user_defined_symbols=["<mask>", START_OF_TURN, END_OF_TURN, *further, *WHITESPACE_RUNS],
        num_threads=1,
        minloglevel=2,
        **({"max_sentencepiece_length": 24, "split_by_unicode_script": False} if mixed else {}),
    )
    return model.getvalue()


def bpe_merges(pieces: list[str], frozen: set[str]) -> list[tuple[str, str]]:
    """The merges that rebuild SentencePiece's order: every way to make a piece, the best-scored piece first.

    pieces: all pieces by id; SentencePiece numbers learnt pieces by score. frozen: pieces no merge may touch.
    """
    known = {piece for piece in pieces if piece not in frozen}
    return [
        (piece[:at], piece[at:])
        for piece in pieces
        if piece in known
        for at in range(1, len(piece))
        if piece[:at] in known and piece[at:] in known
    ]


def to_tokenizers(model: bytes, further: Mapping[str, bool]) -> Tokenizer:
    """The same tokenizer for the tokenizers library. further: see `save`."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    pieces = [piece.piece for piece in proto.pieces]
    frozen = {piece.piece for piece in proto.pieces if piece.type != piece.NORMAL}
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=bpe_merges(pieces, frozen),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    for text, special in further.items():
        token = AddedToken(text, normalized=False, special=special)
        tokenizer.add_special_tokens([token]) if special else tokenizer.add_tokens([token])
    # Space runs exist only after the normalizer has written spaces as ▁, hence normalized.
    tokenizer.add_tokens(
        [AddedToken(text, normalized=SPACE in text, special=False) for text in WHITESPACE_RUNS]
    )
    if tokenizer.get_vocab_size() != VOCAB_SIZE:
        raise ValueError(f"the tokenizer has {tokenizer.get_vocab_size()} pieces instead of {VOCAB_SIZE}")
    return tokenizer


def save(model: bytes, template: Path, folder: Path, further: Mapping[str, bool] | None = None) -> None:
    """Write tokenizer.model, and tokenizer.json with its configuration as Transformers saves them.

    template: the chat template's file. further: control tokens beside those of every Gemma, each with whether decoding
    leaves it out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    to_tokenizers(model, further or {}).save(str(folder / "tokenizer.json"))
    tokenizer = GemmaTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template.read_text("utf-8")
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(model)
    # Transformers 5 leaves out what the post-processor already does; older readers look for it here.
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8")) | {"add_bos_token": True, "add_eos_token": False}
    for how_it_was_loaded in ("is_local", "local_files_only"):
        config.pop(how_it_was_loaded, None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
