"""Where a delivery lies: a folder, or a host that is asked over HTTP(S), with nothing but the standard library."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edgekit.bundle.delivery.index import INDEX_NAME
from edgekit.errors import InputError
from edgekit.files.within import open_regular

_SECONDS: Final = 30
_SCHEMES: Final = ("http://", "https://")


class FaultError(Exception):
    """A file that cannot be had; the message says why. remedy: None where it must be published anew."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class Body(Protocol):
    """What is read of a file."""

    def read(self, count: int, /) -> bytes:
        """The next bytes; none at the end."""


class Place(Protocol):
    """Where the files of a delivery are."""

    def opened(self, name: str) -> AbstractContextManager[Body]:
        """Open a file by its path below the delivery. Raises FaultError, also while it is read."""


@dataclass(frozen=True)
class Folder:
    """A directory. Links in it are not followed."""

    path: Path

    @contextmanager
    def opened(self, name: str) -> Iterator[Body]:
        """Open a file."""
        try:
            with open(open_regular(self.path / name), "rb", buffering=0) as file:  # noqa: PTH123
                yield file
        except FileNotFoundError as error:
            raise FaultError("is missing") from error
        except OSError as error:
            raise FaultError(
                f"cannot be read: {error.strerror}", "make it a file that you may read"
            ) from error


@dataclass(frozen=True)
class Host:
    """An address below which the files lie, as apps ask for them; a redirection is followed, but not out of TLS."""

    address: str

    @contextmanager
    def opened(self, name: str) -> Iterator[Body]:
        """Ask for a file."""
        opener = urllib.request.build_opener(_Redirections)
        try:
            request = urllib.request.Request(  # noqa: S310 - `find_place` has looked at the scheme
                f"{self.address.rstrip('/')}/{name}",
                headers={"Accept-Encoding": "identity", "Cache-Control": "no-cache"},
            )
            with opener.open(request, timeout=_SECONDS) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise FaultError(
                        "the host compresses it, although it was asked not to",
                        "turn compression off for this folder on the host",
                    )
                yield response
        except urllib.error.HTTPError as error:
            raise FaultError(
                f"the host answers {error.code} {error.reason}", _after_status(error.code)
            ) from error
        except (http.client.InvalidURL, ValueError) as error:
            raise FaultError(f"the address is none: {error}", "write it as https://host/folder") from error
        except http.client.HTTPException as error:
            raise FaultError("the host breaks off, or does not speak HTTP", _AGAIN) from error
        except OSError as error:
            raise _unreachable(error) from error


_AGAIN: Final = "try again; if it stays, it is the host's matter"


def _after_status(code: int) -> str:
    """What to do about a host's refusal."""
    if code in (404, 410):
        return f"check the address, that of the folder with {INDEX_NAME}, and that all of it was uploaded"
    if code in (401, 403):
        return "let the host give the folder to everyone: apps bring no password"
    return _AGAIN


def _unreachable(error: OSError) -> FaultError:
    """Why there was no answer, or half of one."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return FaultError(
            f"the host's certificate is not trusted: {reason.verify_message}",
            "renew the host's certificate, or correct this machine's clock and certificates",
        )
    if isinstance(reason, ssl.SSLError):
        return FaultError(
            f"the host does not speak TLS there: {reason.reason}", "check the address: its port, and https"
        )
    if isinstance(reason, ConnectionResetError):
        return FaultError("the host breaks off", _AGAIN)
    if isinstance(reason, TimeoutError):
        said = f"it does not answer within {_SECONDS} s"
    else:
        said = getattr(reason, "strerror", None) or str(reason)
    return FaultError(
        f"the host cannot be reached: {said}", "check the address, and this machine's network and proxy"
    )


class _Redirections(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, request: urllib.request.Request, *rest: object
    ) -> urllib.request.Request | None:
        target = str(rest[-1])
        kept = _SCHEMES[1:] if request.full_url.startswith(_SCHEMES[1]) else _SCHEMES
        if not target.startswith(kept):
            raise FaultError(
                "the host redirects to an address without TLS", "let it redirect to https:// only"
            )
        return super().redirect_request(request, *rest)  # type: ignore[arg-type]


def is_delivery(place: str) -> bool:
    """Tell whether a place is an address, or a folder with an index; the index itself will do."""
    return "://" in place or Path(place).name == INDEX_NAME or (Path(place) / INDEX_NAME).is_file()


def find_place(place: str) -> Place:
    """Return the place that a folder, an index or an address is.

    Raises InputError when there is no such folder, and for addresses of other kinds.
    """
    if place.lower().startswith(_SCHEMES):
        return Host(place.removesuffix(INDEX_NAME))
    if "://" in place:
        raise InputError(
            "only http:// and https:// are fetched, as apps fetch", where=place, remedy="name such an address"
        )
    path = Path(place)
    folder = path.parent if path.name == INDEX_NAME else path
    if not folder.is_dir():
        raise InputError("no such directory", where=place, remedy="name a delivery's folder, or its address")
    return Folder(folder)
