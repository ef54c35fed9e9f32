"""The engine's child program: opens a model and answers requests on standard input (`protocol` says which).

Runs as a script of its own, in any environment that has litert-lm-api: those of other releases hold nothing else, so
only the standard library and `litert_lm` are imported, and what 0.11 does otherwise is done here.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

Tell = Callable[[str, Any], None]

_PREFILL_CHUNK = 128
"""Tokens that are read at once, as in the app. Otherwise a prompt is one piece, and memory grows with its
square; longer pieces are no faster."""

_MMAP_THRESHOLD = 4 << 20
_M_MMAP_THRESHOLD = -3
"""Caches are made anew every 16 tokens. Above this size glibc gives the old one's memory back; by itself it would
keep up to 32 MB of each layer's. Smaller ones are quicker without."""

_MOST_CONVERSATIONS = 64
"""Of one engine, with sidecars: each leaves buffers for all adapter inputs behind, 15 MB at the 270M shape, which the
engine keeps until it is closed."""


def main() -> None:
    """Answer requests until there are no more."""
    # The engine writes to descriptors of its own; ours must hold nothing but JSON.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests = Requests()
    try:
        import litert_lm

        litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)  # loads the library
    except (ImportError, OSError) as error:
        number, _, _ = requests.next()
        out.write(json.dumps({"n": number, "missing": str(error)}) + "\n")
        out.flush()
        return
    _save_memory()
    child = Child(litert_lm, requests)
    while True:
        number, what, arguments = requests.next()

        def tell(kind: str, value: Any, number: int = number) -> None:
            out.write(json.dumps({"n": number, kind: value}) + "\n")
            out.flush()

        try:
            child.answer(what, arguments, number, tell)
        except RuntimeError as error:
            tell("error", str(error))
        except Exception as error:  # what this release cannot do is its answer, whatever it calls that
            tell("error", f"{type(error).__name__}: {error}")


class Requests:
    """What is asked, read by a thread of its own, so that it is noticed while the engine is busy."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.cancelled = 0
        """The number of the request that was last called off."""
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> tuple[int, str, dict[str, Any]]:
        """Wait for a request: its number, what is asked, and the arguments."""
        request = self._waiting.get()
        return request.pop("n"), request.pop("ask"), request

    def _read(self) -> None:
        # Not sys.stdin, whose lock the interpreter could not get when it shuts down.
        with open(0, "rb", closefd=False) as lines:
            for line in lines:
                request = json.loads(line)
                if request["ask"] == "cancel":
                    self.cancelled = request["of"]
                else:
                    self._waiting.put(request)
        os._exit(0)  # nobody listens; and some releases crash while they are torn down


class Child:
    """An engine, and the one conversation that is open in it."""

    def __init__(self, litert_lm: Any, requests: Requests) -> None:
        self._lm = litert_lm
        self._requests = requests
        self._task: Mapping[str, Any] = {}
        self._engine: Any = None
        self._suppressed: list[int] = []
        self._max_num_tokens: int | None = None
        self._conversation: Any = None
        self._decoding: Mapping[str, Any] = {}
        self._conversations = 0
        """With sidecars, since the engine was opened."""

    def answer(self, what: str, arguments: Mapping[str, Any], number: int, tell: Tell) -> None:
        """Answer one request."""
        if what == "open":
            tell("opened", self._open(arguments["model"]))
        elif what == "ids":
            tell("ids", self._ids(arguments["text"]))
        elif what == "text":
            tell("text", str(self._engine.detokenize(arguments["ids"])))
        elif what == "score":
            tell("scores", self._score(arguments["prompt"], arguments["answer"]))
        elif what == "prompt":
            tell("prompt", self._prompt(arguments["messages"], arguments["decoding"]))
        elif what == "begin":
            self._end()
            self._decoding = arguments["decoding"]
            self._conversation = self._begin(arguments["history"], self._decoding)
            tell("begun", True)
        elif what == "render":
            tell("prompt", _render(self._conversation, arguments["message"]))
        elif what == "say":
            tell("reply", self._say(arguments["message"], number, tell))
        elif what == "count":
            tell("count", self._count())
        elif what == "end":
            self._end()
            tell("ended", True)
        else:
            raise ValueError(f"nothing is known of {what}")

    def _open(self, task: Mapping[str, Any]) -> dict[str, Any]:
        self._task = task
        began = time.perf_counter()
        self._start()
        seconds = time.perf_counter() - began
        stops = [[int(number) for number in ids] for ids in self._engine.eos_token_ids]
        self._suppressed = (
            self._suppressed_tokens(stops) if task["suppressed"] is None else task["suppressed"]
        )
        self._max_num_tokens = task["max_num_tokens"] or self._context_of_file()
        return {
            "version": version("litert-lm-api"),
            "start_id": self._engine.bos_token_id,
            "stop_ids": stops,
            "suppressed": self._suppressed,
            "max_tokens": self._max_num_tokens,
            "takes_sidecars": hasattr(self._lm, "LoraConfig"),
            "seconds": seconds,
        }

    def _start(self) -> None:
        lm, task = self._lm, self._task
        options: dict[str, Any] = {
            "backend": self._backend(),
            # Otherwise it writes its packed weights, as large as these, next to the model.
            "cache_dir": task["cache_dir"] or ":nocache",
        }
        if task["max_num_tokens"] is not None:
            options["max_num_tokens"] = task["max_num_tokens"]
        try:
            # "Benchmark" only collects the figures of each turn.
            self._engine = lm.Engine(task["path"], enable_benchmark=True, **options)
        except TypeError:  # 0.11 counts no tokens
            self._engine = lm.Engine(task["path"], **options)
        self._conversations = 0

    def _backend(self) -> Any:
        backends, threads = self._lm.Backend, self._task["threads"]
        if self._task["backend"] == "gpu":
            self._lm.set_min_log_severity(
                self._lm.LogSeverity.INFO
            )  # which device it is stands in the log alone
            return backends.GPU() if callable(backends.GPU) else backends.GPU  # 0.11: an enum
        if not callable(backends.CPU):
            return backends.CPU
        return backends.CPU() if threads is None else backends.CPU(thread_count=threads)

    def _score(self, prompt: str, answer: str) -> list[float]:
        """Let the model read an answer behind a rendered prompt."""
        with self._engine.create_session(apply_prompt_template=False) as session:
            session.run_prefill([prompt])
            found = session.run_text_scoring([answer], True)
        return [float(score) for score in found.token_scores[0]]

    def _context_of_file(self) -> int | None:
        if not hasattr(self._lm, "ModelInfo"):
            return None
        try:
            with self._lm.ModelInfo(self._task["path"]) as info:
                return int(info.max_context_tokens)
        except RuntimeError:
            return None

    def _suppressed_tokens(self, stops: Sequence[Sequence[int]]) -> list[int]:
        """Find the tokens that must not be generated while answers are held to a format.

        The first stop token is the one that constrained decoding ends an answer with. It knows nothing of the others:
        inside a JSON string they pass as text, and the engine would stop there. And it takes the spelling of a byte's
        token, "<0x22>", for its text: left alone that lets a quote or a control character into a JSON string.
        """
        return [*(ids[0] for ids in stops[1:] if len(ids) == 1), *self._ascii_bytes()]

    def _ascii_bytes(self) -> range:
        """Find the tokens of single ASCII bytes; none when the tokenizer has no byte fallback."""
        try:
            first, second = self._ids("\x01"), self._ids("\x02")
        except RuntimeError:
            return range(0)
        known = len(first) == 1 and second == [first[0] + 1]
        return range(first[0] - 1, first[0] + 127) if known else range(0)

    def _ids(self, text: str) -> list[int]:
        return [int(number) for number in self._engine.tokenize(text)]

    def _prompt(self, messages: Sequence[Any], decoding: Mapping[str, Any]) -> dict[str, Any]:
        """Render a conversation; a refusal is an answer, too."""
        only = {**decoding, "sampler": None, "max_tokens": None, "answers": None}
        try:
            conversation = self._begin(messages[:-1], only)
        except (RuntimeError, TypeError) as error:
            return {"text": None, "error": str(error)}
        try:
            return _render(conversation, messages[-1])
        finally:
            _close(conversation)

    def _begin(self, history: Sequence[Any], decoding: Mapping[str, Any]) -> Any:
        """Make a conversation. It may feed what stands before, even when it is only to render."""
        lm, options = self._lm, {}
        if decoding["sidecar"] is not None:
            if self._conversations == _MOST_CONVERSATIONS and self._conversation is None:
                _close(self._engine)
                self._start()
            self._conversations += 1
            options["lora_config"] = lm.LoraConfig(lora_path=decoding["sidecar"])
        if decoding["chat_template"] is not None:
            options["chat_template"] = decoding["chat_template"]
        if decoding["sampler"] is not None:
            options["sampler_config"] = self._sampler(decoding["sampler"], decoding["seed"])
        if decoding["answers"] is not None:
            options["constrained_decoding_config"] = lm.ConstrainedDecodingConfig(
                enable=True, provider=lm.LiteRtLmConstraintProviderType.LL_GUIDANCE
            )
        messages = list(history) or None
        if decoding["max_tokens"] is not None:
            try:
                return self._engine.create_conversation(
                    messages=messages, max_output_tokens=decoding["max_tokens"], **options
                )
            except TypeError:  # 0.11: no limit of the output; `_send` applies it
                pass
        return self._engine.create_conversation(messages=messages, **options)

    def _sampler(self, sampler: Mapping[str, Any], seed: int | None) -> Any:
        if sampler["kind"] == "greedy":  # the best of one
            return self._lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
        drawn = {name: sampler[name] for name in ("top_k", "top_p", "temperature")}
        return self._lm.SamplerConfig(**drawn, seed=seed)

    def _say(self, message: Any, number: int, tell: Tell) -> dict[str, Any]:
        before = self._count()
        began = time.perf_counter()
        first: list[float] = []

        def heard(piece: str) -> None:
            if not first:
                first.append(time.perf_counter() - began)
            tell("piece", piece)

        text, generated, cancelled = self._send(message, number, heard)
        elapsed = time.perf_counter() - began
        after = self._count()
        info: Any = None
        if hasattr(self._conversation, "get_benchmark_info") and not cancelled:
            info = self._conversation.get_benchmark_info()
            generated = int(info.last_decode_token_count)
        limit = self._decoding["max_tokens"]
        ending = "end_of_turn"
        if cancelled:
            ending = "cancelled"
        elif limit is not None and generated >= limit:
            ending = "length"
        elif self._max_num_tokens is not None and after >= self._max_num_tokens:
            ending = "context"
        stats = {
            "prompt_tokens": max(0, after - before - generated),
            "generated_tokens": generated,
            "time_to_first_token": first[0] if first else elapsed,
            "prefill_tokens_per_second": 0.0 if info is None else float(info.last_prefill_tokens_per_second),
            "decode_tokens_per_second": 0.0 if info is None else float(info.last_decode_tokens_per_second),
        }
        return {"text": text, "ending": ending, "stats": stats}

    def _send(self, message: Any, number: int, heard: Callable[[str], None]) -> tuple[str, int, bool]:
        """Return the answer, how many tokens it took as far as pieces tell, and whether it was called off."""
        conversation, limit = self._conversation, self._decoding["max_tokens"]
        counts = hasattr(conversation, "get_benchmark_info")
        pieces: list[str] = []
        cancelled = full = False
        for piece in conversation.send_message_async(message, **self._constraint()):
            if cancelled or full:  # until the library has stopped: ending the conversation earlier crashes
                continue
            text = "".join(part.get("text", "") for part in piece.get("content", ()))
            pieces.append(text)
            heard(text)
            cancelled = self._requests.cancelled == number
            full = not counts and len(pieces) == limit  # 0.11: the limit is ours, and a piece is a token
            if cancelled or full:
                conversation.cancel_process()
        generated = len(pieces) + 1
        return "".join(pieces), generated if limit is None else min(generated, limit), cancelled

    def _constraint(self) -> dict[str, Any]:
        answers = self._decoding["answers"]
        if answers is None:
            return {}
        form = self._lm.ResponseFormat
        source = answers["source"]
        options = {"response_format": form.regex(source) if answers["kind"] == "regex" else form.json(source)}
        if self._suppressed:
            options["suppress_tokens_config"] = self._lm.SuppressTokensConfig(
                suppress_tokens=self._suppressed
            )
        return options

    def _count(self) -> int:
        return int(getattr(self._conversation, "token_count", 0))

    def _end(self) -> None:
        if self._conversation is not None:
            conversation, self._conversation = self._conversation, None
            _close(conversation)


def _save_memory() -> None:
    """Set what keeps long conversations small: by the C interface, since the Python binding has no words for it."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another libc
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)
    try:
        from litert_lm._ffi import _get_lib

        library = _get_lib()
        create = library.litert_lm_engine_settings_create
        set_chunk = library.litert_lm_engine_settings_set_prefill_chunk_size
    except (ImportError, AttributeError):  # an older release
        return
    set_chunk.argtypes, set_chunk.restype = [ctypes.c_void_p, ctypes.c_int], None

    def create_in_chunks(*arguments: Any) -> Any:
        settings = create(*arguments)
        if settings:
            set_chunk(settings, _PREFILL_CHUNK)
        return settings

    library.litert_lm_engine_settings_create = create_in_chunks


def _render(conversation: Any, message: Any) -> dict[str, Any]:
    try:
        text = str(conversation.render_message_to_string(message))
    except (RuntimeError, AttributeError) as error:
        return {"text": None, "error": str(error)}
    # The library returns an empty text, and logs why.
    return {"text": text, "error": None} if text else {"text": None, "error": "it rendered nothing"}


def _close(opened: Any) -> None:
    if hasattr(opened, "close"):
        opened.close()
    elif hasattr(opened, "__exit__"):
        opened.__exit__(None, None, None)


if __name__ == "__main__":
    main()
