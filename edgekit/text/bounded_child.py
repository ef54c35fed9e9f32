"""The child of `edgekit.text.bounded`: sets its own limits, then answers one request after the other.

A request is a line of JSON and as many bytes as it says; an answer is a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Started by its path, so that no directory of the user's is searched for modules.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

_MOST_TEXT = 16 << 20


class _Overdue(Exception):  # noqa: N818 - named after what happened; Jinja finds the line of an Exception only
    pass


def _compile(source: str, **_: Any) -> None:
    from edgekit.text.template.parse import compile_template

    compile_template(source)


def _render(source: str, context: dict[str, Any], **_: Any) -> str:
    from edgekit.text.template.parse import compile_template

    text = str(compile_template(source).render(context))
    if len(text) > _MOST_TEXT:
        raise MemoryError
    return text


def _tokenizer(content: bytes, kind: str, texts: list[str], **_: Any) -> Any:
    from edgekit.text.tokenizer.trial import use

    return use(content, kind, texts)


def _allowed(kind: str, source: str, texts: list[str], **_: Any) -> list[bool]:
    from edgekit.text.answers import matches

    return [matches(text, kind, source) for text in texts]


_ANSWERS: dict[str, Callable[..., Any]] = {
    "compile": _compile,
    "render": _render,
    "tokenizer": _tokenizer,
    "allowed": _allowed,
}


def _line(error: BaseException) -> int | None:
    """The line of the template where an error came from."""
    if isinstance(found := getattr(error, "lineno", None), int):
        return found
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"
    ]
    return lines[-1] if lines else None


def _answer(request: dict[str, Any], content: bytes) -> dict[str, Any]:
    signal.setitimer(signal.ITIMER_REAL, request["seconds"])
    try:
        try:
            return {"ok": _ANSWERS[request["ask"]](content=content, **request)}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except MemoryError as error:
        return {"exceeded": "it takes more memory than it may", "line": _line(error)}
    except RecursionError as error:
        return {"exceeded": "it is nested too deeply", "line": _line(error)}
    except _Overdue as error:
        return {"exceeded": f"it takes more than {request['seconds']:g} seconds", "line": _line(error)}
    except Exception as error:
        return {"failed": str(error) or type(error).__name__, "line": _line(error)}
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how Rust's libraries give up; not an Exception
            raise
        return {"failed": f"the library gave up: {error}", "line": None}


def _overdue(*_: Any) -> None:
    raise _Overdue


def main() -> None:
    """Answer until the input ends."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
    signal.signal(signal.SIGALRM, _overdue)
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        content = sys.stdin.buffer.read(request["bytes"])
        text = json.dumps(_answer(request, content))
        sys.stdout.buffer.write(text.encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
