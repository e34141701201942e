"""Call a running server over HTTP, with the standard library only: importing it must stay fast."""

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
"""Value of `service` in GET /health, by which a server of this kind is recognized."""
LOOK = 1.0
"""Seconds that a server may take to answer GET /health."""
PATIENCE = 600.0
"""Seconds without a byte after which a request fails; long, since it may wait in the server's queue."""
BLOCK = 65_536
"""Bytes of one read at most."""
JSON = "application/json"


class Remote:
    """Call the server at an address such as http://127.0.0.1:9880; each call opens its own connection."""

    def __init__(self, address: str, keys: Sequence[str] = (), is_own: bool = False) -> None:
        """Set the address and the API keys, of which the first is sent; `is_embedded`: it runs in this process."""
        self.is_own = is_own
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}

    @property
    def address(self) -> str:
        """Return the base URL, without a slash at its end."""
        return self._address

    def sound(self, options: Wish, format: str) -> Iterator[bytes]:
        """Return the encoded audio as it arrives. Raises SpeechError; WorkerUnavailable without a server."""
        fields = {name: value for name, value in asdict(options).items() if value is not None}
        body = json.dumps({**fields, "format": format}).encode()
        return self.blocks(self.ask("POST", "/synthesize/stream", body))

    def blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield the body of a response as it arrives. Raises SpeechError when the connection breaks off."""
        with response:
            try:
                while block := response.read1(BLOCK):
                    yield block
            except (HTTPException, OSError) as exc:
                raise SpeechError("The server broke off in the middle; its log says why.") from exc

    def told(self, method: str, path: str, body: bytes | None = None, kind: str = JSON) -> dict[str, Any]:
        """Send a request and return its JSON object, {} when the body holds none. Raises SpeechError."""
        return _json(b"".join(self.blocks(self.ask(method, path, body, kind))))

    def voices(self) -> list[str]:
        """Return the names of the server's voices, the default one first. Raises SpeechError."""
        listing = self.told("GET", "/voices")
        default = listing.get("default")
        return sorted(listing.get("voices", []), key=lambda name: (name != default, name))

    def close(self) -> None:
        """Do nothing: no connection is kept open."""

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = JSON, wait: float = PATIENCE
    ) -> HTTPResponse:
        """Send a request and return the response, of which only the headers have been read.

        Args:
            method: HTTP method.
            path: Path and query, appended to the address.
            body: Body to send.
            kind: Media type of the body.
            wait: Timeout of each read in seconds.

        Raises:
            SpeechError: The server answered with an error status; the message is the server's own.
            WorkerUnavailable: The server cannot be reached.
        """
        url = self._address + path
        try:
            request = Request(url, body, {**self._headers, "Content-Type": kind}, method=method)
            response: HTTPResponse = _opener(url).open(request, timeout=wait)
        except HTTPError as exc:
            with exc:
                raise SpeechError(_refusal(exc.code, exc.read())) from exc
        except (OSError, HTTPException, ValueError) as exc:
            reason = getattr(exc, "reason", exc)
            raise WorkerUnavailable(f"The server {self._address} can't be reached: {reason}.") from exc
        return response


def health(address: str) -> dict[str, Any]:
    """Return the JSON object of GET /health, {} without a server or when another program listens there."""
    try:
        with Remote(address).ask("GET", "/health", wait=LOOK) as response:
            return _json(response.read(BLOCK))
    except (SpeechError, OSError, HTTPException):
        return {}


def is_ours(address: str) -> bool:
    """Tell whether a server of this kind answers at `address`."""
    return health(address).get("service") == SERVICE


def _opener(url: str) -> Any:
    """Create a URL opener; it ignores proxy settings for this machine."""
    nearby = urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
    return build_opener(ProxyHandler({})) if nearby else build_opener()


def _refusal(status: int, body: bytes) -> str:
    return str(_json(body).get("message") or f"The server answered {status}.")


def _json(body: bytes) -> dict[str, Any]:
    """Parse a JSON object; return {} for anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
