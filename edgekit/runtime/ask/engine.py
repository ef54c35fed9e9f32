"""The LiteRT-LM engine: the runtime that ships on phones, driven through litert-lm-api.

The native library writes its log to file descriptor 2, and its reasons for failing only there. So calls that can fail
run with the descriptor turned into a file, and what stood there becomes the error's message. Conversations must be
closed before their engine: deleting an engine under a living one crashes the process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from edgekit.bundle.container import SectionKind, read_container, section_bytes
from edgekit.bundle.sidecar import empty_sidecar
from edgekit.errors import BundleError, InputError, MissingToolError
from edgekit.runtime.ask.native_log import native_log
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import Sampler
from edgekit.text.template import Message

NO_CACHE = ":nocache"
"""Cache directory that keeps the engine from writing its packed weights next to the model, as large as these."""

SMOKE_TOKENS = 8

StopReason = Literal["end_of_turn", "length", "context", "cancelled"]


@dataclass(frozen=True)
class Stats:
    """One turn in figures, as the engine measured them."""

    prompt_tokens: int
    """Tokens fed in this turn, a start token included."""
    generated_tokens: int
    """Tokens generated, the one that ended the turn included."""
    time_to_first_token: float
    """Seconds from the call to the first piece of text."""
    prefill_tokens_per_second: float
    decode_tokens_per_second: float


@dataclass(frozen=True)
class Reply:
    """What the model said, why it stopped, and how fast it was.

    stop_reason: "end_of_turn" after a stop token, "length" at the limit of the call, "context" when the cache is full,
        "cancelled" when the caller stopped listening.
    """

    text: str
    stop_reason: StopReason
    stats: Stats


class Engine:
    """An opened bundle. Made by `open_engine`."""

    def __init__(
        self, path: Path, native: Any, max_num_tokens: int | None, empty_sidecar: Path | None = None
    ) -> None:
        self.path = path
        self._native = native
        self._max_num_tokens = max_num_tokens
        self._empty_sidecar = empty_sidecar

    @property
    def start_id(self) -> int | None:
        """The token that the engine puts before a conversation, None for none."""
        value: int | None = self._native.bos_token_id
        return value

    @property
    def stop_ids(self) -> tuple[tuple[int, ...], ...]:
        """The token sequences that end generation."""
        return tuple(tuple(ids) for ids in self._native.eos_token_ids)

    @cached_property
    def ascii_byte_ids(self) -> tuple[int, ...]:
        """The tokens of single ASCII bytes, none when the tokenizer has no byte fallback.

        Constrained decoding takes the spelling of such a token, "<0x22>", for its text: left alone it lets a quote or a
        control character into a JSON string.
        """
        first, second = self.tokenize("\x01"), self.tokenize("\x02")
        if len(first) != 1 or second != [first[0] + 1]:
            return ()
        return tuple(range(first[0] - 1, first[0] + 127))

    @cached_property
    def suppressed_under_format(self) -> tuple[int, ...]:
        """The tokens that must not be generated while answers are held to a format.

        The first stop token is the one that constrained decoding ends an answer with. It knows nothing of the others:
        inside a JSON string they pass as text, and the engine would stop there.
        """
        others = (ids[0] for ids in self.stop_ids[1:] if len(ids) == 1)
        return (*others, *self.ascii_byte_ids)

    def tokenize(self, text: str) -> list[int]:
        """Return the ids that the engine makes of a text, without a start token."""
        if "\0" in text:
            raise InputError("the engine's C interface ends a text at a NUL character")
        with self._reasons("cannot tokenize"):
            return list(self._native.tokenize(text))

    def detokenize(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        with self._reasons("cannot detokenize"):
            return str(self._native.detokenize(list(ids)))

    def render(self, messages: Sequence[Message], *, chat_template: str | None = None) -> str:
        """Return the prompt of a conversation whose last message asks the model, without the start token.

        chat_template: to use instead of the bundle's.
        """
        with self.chat(messages[:-1], chat_template=chat_template) as chat:
            return chat.render(messages[-1])

    def prompt_ids(self, messages: Sequence[Message], *, chat_template: str | None = None) -> list[int]:
        """Return every id that the engine feeds for a conversation whose last message asks the model.

        chat_template: to use instead of the bundle's.
        """
        start = [] if self.start_id is None else [self.start_id]
        return start + self.tokenize(self.render(messages, chat_template=chat_template))

    @contextmanager
    def chat(
        self,
        history: Sequence[Message] = (),
        *,
        sampler: Sampler | None = None,
        seed: int | None = None,
        answers: AnswerFormat | None = None,
        max_tokens: int | None = None,
        chat_template: str | None = None,
        sidecar: Path | None = None,
    ) -> Iterator[Chat]:
        """Open a conversation.

        history: messages before the first, such as a system message.
        sampler: instead of the bundle's.
        seed: of the sampling; the engine's own default is always the same.
        answers: what each answer may look like; creating the constraint takes about 3 s at 262,144 pieces.
        max_tokens: most tokens to generate in a turn.
        chat_template: instead of the bundle's.
        sidecar: of an adapter that was checked against this bundle (`edgekit.bundle.adapter.opening`); None leaves the
            base as it is.
        """
        import litert_lm

        used = self._empty_sidecar if sidecar is None else sidecar
        with self._reasons("cannot start a conversation"):
            native = self._native.create_conversation(
                messages=[dict(message) for message in history] or None,
                sampler_config=_sampler_config(sampler, seed),
                constrained_decoding_config=None
                if answers is None
                else litert_lm.ConstrainedDecodingConfig(
                    enable=True, provider=litert_lm.LiteRtLmConstraintProviderType.LL_GUIDANCE
                ),
                lora_config=None if used is None else litert_lm.LoraConfig(lora_path=str(used)),
                max_output_tokens=max_tokens,
                chat_template=chat_template,
            )
        try:
            yield Chat(self, native, answers, max_tokens)
        finally:
            native.close()

    @contextmanager
    def _reasons(self, what: str) -> Iterator[None]:
        """Turn a failure of the native library into a BundleError with the reason that it logged."""
        with native_log() as log:
            try:
                yield
            except RuntimeError as error:
                raise BundleError(f"the engine {what}: {_reason(log(), error)}", where=self.path) from error


class Chat:
    """One conversation. Made by `Engine.chat`."""

    def __init__(
        self, engine: Engine, native: Any, answers: AnswerFormat | None, max_tokens: int | None
    ) -> None:
        self._engine = engine
        self._native = native
        self._answers = answers
        self._max_tokens = max_tokens
        self.reply: Reply | None = None
        """The last reply, complete once `stream` is exhausted."""

    @property
    def token_count(self) -> int:
        """Tokens in the cache so far."""
        return int(self._native.token_count)

    def render(self, message: Message | str) -> str:
        """Return the text that the engine would feed for this message, as the conversation stands."""
        with native_log() as log:
            text = str(self._native.render_message_to_string(_message(message)))
            failure = _logged_errors(log())
        if not text and failure:  # the library returns an empty text and logs why
            raise BundleError(f"the engine cannot render the prompt: {failure[-1]}", where=self._engine.path)
        return text

    def send(self, message: Message | str) -> Reply:
        """Send a message and wait for the whole reply."""
        for _ in self.stream(message):
            pass
        assert self.reply is not None
        return self.reply

    def stream(self, message: Message | str) -> Iterator[str]:
        """Send a message; yield the reply's text piece by piece. `reply` has the whole afterwards.

        Closing the iterator early cancels the generation.
        Raises BundleError when the engine fails, for example because the prompt does not fit.
        """
        before = self.token_count
        began = time.perf_counter()
        first: float | None = None
        pieces: list[str] = []
        cancelled = True
        stream: Any = None
        try:
            with self._engine._reasons("cannot answer"):
                stream = self._native.send_message_async(_message(message), **self._constraint())
                piece = next(stream, None)
            while piece is not None:
                text = "".join(part["text"] for part in piece["content"] if part.get("type") == "text")
                first = first or time.perf_counter() - began
                pieces.append(text)
                yield text
                try:
                    piece = next(stream, None)
                except RuntimeError as error:  # in the middle of an answer it carries the reason itself
                    raise BundleError(
                        f"the engine stopped in the middle of an answer: {_reason('', error)}",
                        where=self._engine.path,
                    ) from error
            cancelled = False
        finally:
            if cancelled and stream is not None and pieces:
                self._native.cancel_process()
                for _ in stream:  # until the library has stopped; deleting the conversation earlier crashes
                    pass
        elapsed = time.perf_counter() - began
        self.reply = self._reply("".join(pieces), before, first if first is not None else elapsed)

    def _constraint(self) -> dict[str, Any]:
        if self._answers is None:
            return {}
        import litert_lm

        form = litert_lm.ResponseFormat
        is_regex = self._answers.kind == "regex"
        suppressed = list(self._engine.suppressed_under_format)
        return {
            "response_format": form.regex(self._answers.source)
            if is_regex
            else form.json(self._answers.source),
            "suppress_tokens_config": litert_lm.SuppressTokensConfig(suppress_tokens=suppressed)
            if suppressed
            else None,
        }

    def _reply(self, text: str, before: int, first: float) -> Reply:
        info = self._native.get_benchmark_info()
        after = self.token_count
        generated = int(info.last_decode_token_count)
        limit = self._engine._max_num_tokens
        reason: StopReason = "end_of_turn"
        if self._max_tokens is not None and generated >= self._max_tokens:
            reason = "length"
        elif limit is not None and after >= limit:
            reason = "context"
        return Reply(
            text=text,
            stop_reason=reason,
            stats=Stats(
                prompt_tokens=after - before - generated,
                generated_tokens=generated,
                time_to_first_token=first,
                prefill_tokens_per_second=float(info.last_prefill_tokens_per_second),
                decode_tokens_per_second=float(info.last_decode_tokens_per_second),
            ),
        )


@contextmanager
def open_engine(
    path: Path,
    *,
    max_num_tokens: int | None = None,
    threads: int | None = None,
    cache_dir: Path | None = None,
) -> Iterator[Engine]:
    """Open a .litertlm file in the CPU engine.

    max_num_tokens: tokens that a conversation may hold, instead of what the file says.
    threads: of the CPU backend; None leaves the choice to the engine.
    cache_dir: where the engine keeps its packed weights for the next start; None keeps none.
    Raises BundleError with the engine's own reason when it refuses the file.
    """
    try:
        import litert_lm
    except (ImportError, OSError) as error:
        raise MissingToolError(
            f"the LiteRT-LM engine cannot be loaded ({error})",
            remedy="install litert-lm-api; on Linux it needs the C++ runtime (libstdc++)",
        ) from error
    if not path.is_file():
        raise BundleError("no such file", where=path)
    litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
    with native_log() as log:
        try:
            native = litert_lm.Engine(
                str(path),
                backend=litert_lm.Backend.CPU(thread_count=threads),
                max_num_tokens=max_num_tokens,
                cache_dir=NO_CACHE if cache_dir is None else str(cache_dir),
                enable_benchmark=True,  # only collects the figures of each turn
            )
        except RuntimeError as error:
            raise BundleError(f"the engine refuses the file: {_reason(log(), error)}", where=path) from error
    try:
        limit = max_num_tokens
        if limit is None:
            with native_log(), litert_lm.ModelInfo(str(path)) as info:
                limit = info.max_context_tokens
        with empty_sidecar(path) as empty:
            yield Engine(path, native, limit, empty)
    finally:
        with native_log():
            native.close()


def verify_answers(
    engine: Engine, answers: AnswerFormat, *, sidecar: Path | None = None, chat_template: str | None = None
) -> None:
    """Make the engine decode under an answer format, and refuse one that it cannot take.

    Raises InputError with the engine's reason: an unsupported keyword, a regular expression that it does not know, a
    text that it cannot spell because the tokenizer has only bytes for a character of it.
    """
    where = "--answer-regex" if answers.kind == "regex" else "--answer-schema"
    if any(" " in text for text in answers.literals()) and not _spells_spaces(engine.path):
        raise InputError(
            "an answer with spaces in it is spelled out, but this bundle's tokenizer does not spell spaces as the "
            "engine's constrained decoding needs them",
            where=where,
            remedy="use answers without spaces, such as turn_on",
        )
    for text in answers.literals():
        spelled = engine.tokenize(text)
        for char in dict.fromkeys(text):
            if not char.isascii() and len(ids := engine.tokenize(char)) > 1 and set(ids) & set(spelled):
                raise InputError(
                    f"the tokenizer has no token for {char!r}, only its bytes, which the engine cannot constrain",
                    where=where,
                    remedy="use other words in the answer",
                )
    try:
        with engine.chat(
            answers=answers, max_tokens=SMOKE_TOKENS, sidecar=sidecar, chat_template=chat_template
        ) as chat:
            chat.send("Hello")
    except BundleError as error:
        reason = error.message.split("Failed to create LLGuidance constraint:")[-1].strip()
        raise InputError(f"the engine cannot take this answer format: {reason}", where=where) from error


def _spells_spaces(path: Path) -> bool:
    """Whether the pieces of a bundle's tokenizer hold real spaces, which constrained decoding takes them by."""
    container = read_container(path)
    for section in container.sections:
        if section.kind == SectionKind.SP_TOKENIZER:
            from sentencepiece import sentencepiece_model_pb2

            model = sentencepiece_model_pb2.ModelProto.FromString(bytes(section_bytes(container, section)))
            return not model.normalizer_spec.escape_whitespaces
    return False  # a tokenizer.json always spells them ▁


# --- trying a bundle in a process of its own ---------------------------------------------------------------------


@dataclass(frozen=True)
class SmokeResult:
    """What opening a bundle in a fresh process and generating a few tokens gave."""

    open_seconds: float
    tokens: int
    """Tokens generated."""
    text: str
    decode_tokens_per_second: float


def smoke(
    path: Path,
    *,
    answer: AnswerFormat | None = None,
    sidecar: Path | None = None,
    chat_template: str | None = None,
    tokens: int = SMOKE_TOKENS,
    threads: int | None = None,
    timeout: float = 120.0,
) -> SmokeResult:
    """Open a bundle with the real engine in a child process and let it generate.

    answer: a format for the engine to accept and to answer in; see `verify_answers`.
    sidecar, chat_template: of an adapter.
    The child takes a native abort with it, so that a bundle which kills the engine is an error here and not the end
    of the command. timeout: seconds.
    Raises BundleError with the engine's reason when the bundle does not open, generates nothing, crashes the engine
    or takes longer than `timeout`.
    """
    task = {
        "path": str(path),
        "tokens": tokens,
        "threads": threads,
        "answer": answer and answer.to_manifest(),
        "sidecar": None if sidecar is None else str(sidecar),
        "chat_template": chat_template,
    }
    root = str(Path(__file__).resolve().parents[3])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "edgekit.runtime.ask.engine"],
            input=json.dumps(task).encode(),
            capture_output=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"the engine did not answer within {timeout:g} s", where=path) from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        reasons = _logged_errors(done.stderr.decode(errors="replace"))
        raise BundleError(
            f"the engine crashed on this file ({name}){': ' + reasons[-1] if reasons else ''}", where=path
        )
    try:
        outcome = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise BundleError(
            f"the engine's process failed ({lines[-1] if lines else done.returncode})", where=path
        ) from error
    if "refused" in outcome:
        raise InputError(outcome["refused"], where=outcome["where"], remedy=outcome["remedy"])
    if "error" in outcome:
        raise BundleError(outcome["error"], where=path)
    result = SmokeResult(**outcome)
    if result.tokens == 0:
        raise BundleError("the engine opened the file but generated nothing", where=path)
    return result


def _smoke_here(task: Mapping[str, Any]) -> dict[str, Any]:
    """What the child process does: one turn, as a JSON object."""
    answer = None if task["answer"] is None else AnswerFormat.from_manifest(task["answer"])
    adapter: dict[str, Any] = {
        "sidecar": None if task["sidecar"] is None else Path(task["sidecar"]),
        "chat_template": task["chat_template"],
    }
    began = time.perf_counter()
    try:
        with open_engine(Path(task["path"]), threads=task["threads"]) as engine:
            opened = time.perf_counter() - began
            if answer is not None:
                verify_answers(engine, answer, **adapter)
            with engine.chat(answers=answer, max_tokens=task["tokens"], **adapter) as chat:
                reply = chat.send("Hello")
    except (BundleError, MissingToolError) as error:
        return {"error": error.message}
    except InputError as error:
        return {"refused": error.message, "where": error.where, "remedy": error.remedy}
    return asdict(
        SmokeResult(
            open_seconds=opened,
            tokens=reply.stats.generated_tokens,
            text=reply.text,
            decode_tokens_per_second=reply.stats.decode_tokens_per_second,
        )
    )


# --- the native library ------------------------------------------------------------------------------------------


def _sampler_config(sampler: Sampler | None, seed: int | None) -> Any:
    if sampler is None:
        return None
    import litert_lm

    if sampler.kind == "greedy":
        return litert_lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
    return litert_lm.SamplerConfig(
        top_k=sampler.top_k, top_p=sampler.top_p, temperature=sampler.temperature, seed=seed
    )


def _message(message: Message | str) -> dict[str, Any]:
    return {"role": "user", "content": message} if isinstance(message, str) else dict(message)


_ERROR_LINE = re.compile(r"^(?:[EF]\d{4} [^\]]*\]|ERROR: \[[^\]]*\]|ERROR:) *(.*)$")
_CONTEXT = re.compile(r"^=== Source Location Trace|^third_party/|^runtime/|^INFO: |^W\d{4} |^WARNING: |^$")


def _logged_errors(log: str) -> list[str]:
    """The errors of a log, each with the lines that belong to it, without file names and times."""
    errors: list[str] = []
    open_error = False
    for line in log.splitlines():
        match = _ERROR_LINE.match(line)
        if match:
            errors.append(match[1].strip())
            open_error = True
        elif _CONTEXT.match(line):
            open_error = False
        elif open_error:
            errors[-1] += " " + line.strip()
    return errors


def failure_reason(log: str, fallback: str) -> str:
    """Return the engine's reason for a failure, from what it logged; `fallback` when it logged none."""
    return (
        _reason(log, RuntimeError(fallback or "no reason given")) if _logged_errors(log) or fallback else ""
    )


def _reason(log: str, error: Exception) -> str:
    """The engine's reason for a failure: what it logged, else what the binding says."""
    logged = _logged_errors(log)
    text = logged[-1] if logged else str(error).splitlines()[0]
    # Statuses are nested: the innermost says most.
    text = re.split(r"└ ERROR: \[[^\]]*\] *", text)[-1].strip("└ ")
    return re.sub(r"^(?:Failed to [a-z ]+: )?(?:[A-Z_]+: )", "", text)[:400] or "no reason given"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_smoke_here(json.load(sys.stdin))))
