"""How a checkpoint wants to be sampled: generation_config.json, and the sampler that goes into a bundle."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import CheckpointError, InputError
from edgekit.records.documents import read_json_object

GENERATION_CONFIG = "generation_config.json"

_SYNTAX = 'write "greedy", or any of temperature=0.7, top_k=40, top_p=0.9 joined by commas'


@dataclass(frozen=True)
class Sampler:
    """How the next token is drawn.

    kind: "greedy" takes the most probable token; "top_p" draws, at `temperature`, from the smallest set of
        tokens that holds `top_p` of the probability, of at most `top_k` tokens.
    The defaults are what Google recommends for Gemma 3.
    """

    kind: Literal["greedy", "top_p"] = "top_p"
    temperature: float = 1.0
    top_k: int = 64
    top_p: float = 0.95

    def __str__(self) -> str:
        if self.kind == "greedy":
            return "greedy"
        return f"temperature={self.temperature:g},top_k={self.top_k},top_p={self.top_p:g}"


GREEDY = Sampler(kind="greedy", top_k=1, top_p=1.0)


@dataclass(frozen=True)
class GenerationDefaults:
    """What generation_config.json says; None for each key that it leaves open."""

    eos_token_ids: tuple[int, ...] = ()
    """Every token that ends generation, in the file's order; empty when the file names none."""
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    without: tuple[str, ...] = ()
    """Settings that would change answers and that the engine does not have, as `key value`."""

    @property
    def sampler(self) -> Sampler:
        """The sampler that these settings ask for.

        Gemma's recommended values stand for what is not said. `do_sample: false` means greedy, as does a
        temperature of 0 or a top_k of 1.
        """
        if self.do_sample is False or self.temperature == 0 or self.top_k == 1:
            return GREEDY
        default = Sampler()
        return Sampler(
            temperature=default.temperature if self.temperature is None else self.temperature,
            # In Transformers a top_k of 0 means "no limit"; the engine wants a number.
            top_k=default.top_k if not self.top_k else self.top_k,
            top_p=default.top_p if self.top_p is None else self.top_p,
        )


def read_generation(directory: Path) -> GenerationDefaults:
    """Read `generation_config.json` of a checkpoint; without one everything is left open.

    Raises CheckpointError, naming the file and the key, when the file is damaged or a value is wrong.
    """
    path = directory / GENERATION_CONFIG
    if not path.exists():
        return GenerationDefaults()
    values = read_json_object(path, remedy="mend the file, or delete it to use Gemma 3's defaults")
    return GenerationDefaults(
        eos_token_ids=_token_ids(values, "eos_token_id", path),
        do_sample=_boolean(values, "do_sample", path),
        temperature=_number(values, "temperature", path, low=0.0, high=math.inf),
        top_k=_integer(values, "top_k", path),
        top_p=_number(values, "top_p", path, low=0.0, high=1.0),
        without=tuple(
            f"{key} {reprlib.repr(values[key])}"
            for key, neutral in _NOT_IN_THE_ENGINE.items()
            if values.get(key) not in (None, *neutral)
        ),
    )


_NOT_IN_THE_ENGINE: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(
        ("repetition_penalty", "encoder_repetition_penalty", "typical_p", "length_penalty"), (1.0,)
    ),
    **dict.fromkeys(("min_p", "top_a", "top_h", "epsilon_cutoff", "eta_cutoff", "penalty_alpha"), (0.0,)),
    **dict.fromkeys(("no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "diversity_penalty"), (0,)),
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "min_length", "min_new_tokens"), (0,)),
    **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "sequence_bias"), ([], {})),
    **dict.fromkeys(("forced_bos_token_id", "forced_eos_token_id", "force_words_ids", "constraints"), ([],)),
    **dict.fromkeys(
        ("exponential_decay_length_penalty", "watermarking_config", "stop_strings"), ([], {}, "")
    ),
    "num_beams": (1,),
    "guidance_scale": (1.0,),
}
"""Of Transformers' GenerationConfig and vLLM's SamplingParams: keys, and the values with which they do nothing."""


def parse_sampler(text: str) -> Sampler:
    """Parse a sampler as it is written on the command line.

    text: "greedy", or comma-separated `temperature=…`, `top_k=…`, `top_p=…`; Gemma's defaults for
        what is left out.
    Raises InputError that quotes the part at fault.
    """
    if text.strip() == "greedy":
        return GREEDY
    values: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in ("temperature", "top_k", "top_p"):
            raise InputError(f"{part.strip()!r} is not a sampler setting", where="--sampler", remedy=_SYNTAX)
        if name in values:
            raise InputError(f"{name} is given twice", where="--sampler", remedy=_SYNTAX)
        try:
            values[name] = int(value) if name == "top_k" else float(value)
        except ValueError:
            kind = "a whole number" if name == "top_k" else "a number"
            raise InputError(f"{name} is {value!r}, not {kind}", where="--sampler", remedy=_SYNTAX) from None
    temperature, top_k, top_p = (
        values.get("temperature", 1.0),
        values.get("top_k", 64),
        values.get("top_p", 0.95),
    )
    if not 0 <= temperature < math.inf:
        raise InputError(
            f"temperature is {temperature:g}, not from 0 upwards", where="--sampler", remedy=_SYNTAX
        )
    if top_k < 1:
        raise InputError(f"top_k is {top_k}, not at least 1", where="--sampler", remedy=_SYNTAX)
    if not 0 < top_p <= 1:
        raise InputError(f"top_p is {top_p:g}, not above 0 and up to 1", where="--sampler", remedy=_SYNTAX)
    if temperature == 0 or top_k == 1:
        return GREEDY
    return Sampler(temperature=float(temperature), top_k=int(top_k), top_p=float(top_p))


def _error(path: Path, key: str, value: object, wanted: str) -> CheckpointError:
    return CheckpointError(f'key "{key}" is {value!r}, not {wanted}', where=path)


def _token_ids(values: dict[str, Any], key: str, path: Path) -> tuple[int, ...]:
    value = values.get(key)
    ids = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in ids):
        raise _error(path, key, value, "a token id or a list of them")
    return tuple(dict.fromkeys(ids))


def _boolean(values: dict[str, Any], key: str, path: Path) -> bool | None:
    value = values.get(key)
    if value is not None and not isinstance(value, bool):
        raise _error(path, key, value, "true or false")
    return value


def _integer(values: dict[str, Any], key: str, path: Path) -> int | None:
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _error(path, key, value, "a whole number from 0 upwards")
    return value


def _number(values: dict[str, Any], key: str, path: Path, *, low: float, high: float) -> float | None:
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _error(path, key, value, f"a number from {low:g} to {high:g}")
    return float(value)
