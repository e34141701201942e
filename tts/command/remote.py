"""Asks a running server over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from tts.speech.errors import SpeechError, WorkerUnavailable

if TYPE_CHECKING:
    from tts.command.speech import Wish

SERVICE = "Kokoro TTS API"
"""What GET /health says of a server of ours."""
LOOK = 1.0
"""Seconds in which a server on this machine says that it is there."""
PATIENCE = 600.0
"""Seconds without a byte after which a server is given up: it may have others to speak to first."""
BLOCK = 65_536
JSON = "application/json"


class Remote:
    """The server at an address such as http://127.0.0.1:9880."""

    def __init__(self, address: str, keys: Sequence[str] = (), is_own: bool = False) -> None:
        """`is_own`: it is there for us alone, and ends with us."""
        self.is_own = is_own
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}

    @property
    def address(self) -> str:
        return self._address

    def sound(self, wish: Wish, format: str) -> Iterator[bytes]:
        fields = {name: value for name, value in asdict(wish).items() if value is not None}
        body = json.dumps({**fields, "format": format}).encode()
        return self.blocks(self.ask("POST", "/synthesize/stream", body))

    def blocks(self, answer: HTTPResponse) -> Iterator[bytes]:
        """The bytes of an answer as they come. Raises SpeechError when it ends before its end."""
        with answer:
            try:
                while block := answer.read1(BLOCK):
                    yield block
            except (HTTPException, OSError) as exc:
                raise SpeechError("The server broke off in the middle; its log says why.") from exc

    def told(self, method: str, path: str, body: bytes | None = None, kind: str = JSON) -> dict[str, Any]:
        """The server's answer where that is JSON. Raises SpeechError."""
        return _json(b"".join(self.blocks(self.ask(method, path, body, kind))))

    def voices(self) -> list[str]:
        told = self.told("GET", "/voices")
        default = told.get("default")
        return sorted(told.get("voices", []), key=lambda name: (name != default, name))

    def close(self) -> None:
        """Nothing is kept open."""

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = JSON, wait: float = PATIENCE
    ) -> HTTPResponse:
        """The server's answer. Raises SpeechError with the server's own words, WorkerUnavailable when there is none."""
        url = self._address + path
        try:
            request = Request(url, body, {**self._headers, "Content-Type": kind}, method=method)
            answer: HTTPResponse = _opener(url).open(request, timeout=wait)
        except HTTPError as exc:
            with exc:
                raise SpeechError(_refusal(exc.code, exc.read())) from exc
        except (OSError, HTTPException, ValueError) as exc:
            reason = getattr(exc, "reason", exc)
            raise WorkerUnavailable(f"The server {self._address} can't be reached: {reason}.") from exc
        return answer


def health(address: str) -> dict[str, Any]:
    """What the server at `address` says of itself, {} where there is none. Anything may listen there."""
    try:
        with Remote(address).ask("GET", "/health", wait=LOOK) as answer:
            return _json(answer.read(BLOCK))
    except (SpeechError, OSError, HTTPException):
        return {}


def is_ours(address: str) -> bool:
    """Whether a server of this kind answers at `address`."""
    return health(address).get("service") == SERVICE


def _opener(url: str) -> Any:
    """A proxy is for other machines."""
    nearby = urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
    return build_opener(ProxyHandler({})) if nearby else build_opener()


def _refusal(status: int, body: bytes) -> str:
    return str(_json(body).get("message") or f"The server answered {status}.")


def _json(body: bytes) -> dict[str, Any]:
    """The object that the bytes hold, or an empty one."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
