"""Ask one release of the engine. Runs as a script of its own, in any environment that has litert-lm-api.

The task comes as JSON on standard input; what the engine says goes out line by line as JSON, so that whoever
asked can tell the progress, and still has what was said when the engine crashes. Only the standard library and
`litert_lm` are imported: the environments of other releases hold nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

_MOST_CONVERSATIONS = 32
"""Of one engine, with sidecars: each leaves buffers for all adapter inputs behind, up to 30 MB at the 270M shape, which
the engine keeps until it is closed."""


def main() -> None:
    """Open the model and answer everything that the task asks."""
    task = json.load(sys.stdin)
    # The engine writes to descriptors of its own; ours must hold nothing but JSON.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(kind: str, value: Any) -> None:
        out.write(json.dumps({kind: value}) + "\n")
        out.flush()

    import litert_lm

    litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
    try:
        engine = _open(litert_lm, task)
    except (RuntimeError, ValueError) as error:
        say("refused", str(error))
        return
    stops = [list(ids) for ids in engine.eos_token_ids]
    say("opened", {"start_id": engine.bos_token_id, "stop_ids": stops})
    if task["sidecar"] is not None and not hasattr(litert_lm, "LoraConfig"):
        say("takes_no_sidecar", True)
        out.close()
        os._exit(0)
    adapter = _adapter_options(litert_lm, task)
    for text in task["texts"]:
        say("ids", _ids(engine, text))
    for messages in task["conversations"]:
        say("prompt", _prompt(engine, messages, adapter))
    asked = [(messages, None) for messages in task["prompts"]]
    asked += [(messages, task["format"]) for messages in task["prompts"] if task["format"]]
    for number, (messages, answer_format) in enumerate(asked):
        if adapter and number and number % _MOST_CONVERSATIONS == 0:
            _close(engine)
            engine = _open(litert_lm, task)
        if answer_format is None:
            say("asked", _ids(engine, _prompt(engine, messages, adapter)["text"] or ""))
        said = _answer(litert_lm, engine, messages, task["max_tokens"], answer_format, stops, adapter)
        say("answer" if answer_format is None else "constrained", said)
    say("done", True)
    out.close()
    os._exit(0)  # some releases crash while they are torn down; everything was said


def _open(lm: Any, task: dict[str, Any]) -> Any:
    backend = lm.Backend.CPU() if callable(lm.Backend.CPU) else lm.Backend.CPU  # 0.11: an enum
    options = {"backend": backend, "cache_dir": ":nocache"}
    try:
        return lm.Engine(task["path"], enable_benchmark=True, **options)
    except TypeError:  # 0.11 counts no tokens
        return lm.Engine(task["path"], **options)


def _ids(engine: Any, text: str) -> list[int] | None:
    try:
        return [int(number) for number in engine.tokenize(text)]
    except RuntimeError:
        return None


def _adapter_options(lm: Any, task: dict[str, Any]) -> dict[str, Any]:
    """What every conversation is created with, even one that only renders: it may feed what stands before."""
    options: dict[str, Any] = {}
    if task["sidecar"] is not None:
        options["lora_config"] = lm.LoraConfig(lora_path=task["sidecar"])
    if task["chat_template"] is not None:
        options["chat_template"] = task["chat_template"]
    return options


def _conversation(engine: Any, messages: Sequence[Any], **options: Any) -> Any:
    return engine.create_conversation(messages=list(messages[:-1]) or None, **options)


def _prompt(engine: Any, messages: Sequence[Any], adapter: dict[str, Any]) -> dict[str, Any]:
    """Render a conversation; a refusal is an answer, too."""
    try:
        conversation = _conversation(engine, messages, **adapter)
    except (RuntimeError, TypeError) as error:
        return {"text": None, "error": str(error)}
    try:
        text = str(conversation.render_message_to_string(messages[-1]))
    except (RuntimeError, AttributeError) as error:
        return {"text": None, "error": str(error)}
    finally:
        _close(conversation)
    return {"text": text, "error": None} if text else {"text": None, "error": "it rendered nothing"}


def _answer(
    lm: Any,
    engine: Any,
    messages: Sequence[Any],
    max_tokens: int,
    answer_format: dict[str, Any] | None,
    stops: Sequence[Sequence[int]],
    adapter: dict[str, Any],
) -> dict[str, Any]:
    """Answer a prompt greedily: the best of one."""
    options: dict[str, Any] = {
        **adapter,
        "sampler_config": lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0),
        "max_output_tokens": max_tokens,
    }
    send: dict[str, Any] = {}
    if answer_format is not None:
        options["constrained_decoding_config"] = lm.ConstrainedDecodingConfig(
            enable=True, provider=lm.LiteRtLmConstraintProviderType.LL_GUIDANCE
        )
        form = lm.ResponseFormat
        send["response_format"] = (
            form.regex(answer_format["regex"])
            if answer_format["kind"] == "regex"
            else form.json(json.dumps(answer_format["schema"], ensure_ascii=False))
        )
        others = [ids[0] for ids in stops[1:] if len(ids) == 1]  # to the constraint they are text
        if others:
            send["suppress_tokens_config"] = lm.SuppressTokensConfig(suppress_tokens=others)
    try:
        conversation = _conversation(engine, messages, **options)
    except TypeError:  # 0.11: no limit of the output; it is applied here
        del options["max_output_tokens"]
        conversation = _conversation(engine, messages, **options)
    try:
        text, tokens = _send(conversation, messages[-1], send, max_tokens)
    except RuntimeError as error:
        return {"text": "", "ids": [], "tokens": 0, "ended": False, "error": str(error)}
    finally:
        _close(conversation)
    ids = _ids(engine, text) or []
    return {"text": text, "ids": ids, "tokens": tokens, "ended": tokens < max_tokens}


def _send(conversation: Any, message: Any, options: dict[str, Any], max_tokens: int) -> tuple[str, int]:
    """Return the answer and how many tokens were generated, what ended it included."""
    pieces: list[str] = []
    for piece in conversation.send_message_async(message, **options):
        pieces += [part.get("text", "") for part in piece.get("content", ())]
        if len(pieces) == max_tokens and not hasattr(conversation, "get_benchmark_info"):
            conversation.cancel_process()
    if hasattr(conversation, "get_benchmark_info"):
        return "".join(pieces), int(conversation.get_benchmark_info().last_decode_token_count)
    return "".join(pieces[:max_tokens]), min(len(pieces) + 1, max_tokens)


def _close(opened: Any) -> None:
    if hasattr(opened, "close"):
        opened.close()
    elif hasattr(opened, "__exit__"):
        opened.__exit__(None, None, None)


if __name__ == "__main__":
    main()
