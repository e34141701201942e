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

from kokoro_server.core.errors import SpeechError, WorkerUnavailable

if TYPE_CHECKING:
    from kokoro_server.cli.client import SayOptions

SERVICE_NAME = "Kokoro TTS API"
"""Value of `service` in GET /health, by which a server of this kind is recognized."""
HEALTH_TIMEOUT = 1.0
"""Seconds that a server may take to answer GET /health."""
READ_TIMEOUT = 600.0
"""Seconds without a byte after which a request fails; long, since it may wait in the server's queue."""
READ_SIZE = 65_536
"""Bytes of one read at most."""
JSON_MEDIA_TYPE = "application/json"


class HttpClient:
    """Call the server at an address such as http://127.0.0.1:9880; each call opens its own connection."""

    def __init__(self, address: str, keys: Sequence[str] = (), is_embedded: bool = False) -> None:
        """Set the address and the API keys, of which the first is sent; `is_embedded`: it runs in this process."""
        self.is_embedded = is_embedded
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}

    @property
    def address(self) -> str:
        """Return the base URL, without a slash at its end."""
        return self._address

    def stream_audio(self, options: SayOptions, format: str) -> Iterator[bytes]:
        """Return the encoded audio as it arrives. Raises SpeechError; WorkerUnavailable without a server."""
        fields = {name: value for name, value in asdict(options).items() if value is not None}
        body = json.dumps({**fields, "format": format}).encode()
        return self.iter_body(self.send_request("POST", "/synthesize/stream", body))

    def iter_body(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield the body of a response as it arrives. Raises SpeechError when the connection breaks off."""
        with response:
            try:
                while block := response.read1(READ_SIZE):
                    yield block
            except (HTTPException, OSError) as exc:
                raise SpeechError("The server broke off in the middle; its log says why.") from exc

    def request_json(
        self, method: str, path: str, body: bytes | None = None, media_type: str = JSON_MEDIA_TYPE
    ) -> dict[str, Any]:
        """Send a request and return its JSON object, {} when the body holds none. Raises SpeechError."""
        return _parse_object(b"".join(self.iter_body(self.send_request(method, path, body, media_type))))

    def get_voice_names(self) -> list[str]:
        """Return the names of the server's voices, the default one first. Raises SpeechError."""
        listing = self.request_json("GET", "/voices")
        default = listing.get("default")
        return sorted(listing.get("voices", []), key=lambda name: (name != default, name))

    def close(self) -> None:
        """Do nothing: no connection is kept open."""

    def send_request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media_type: str = JSON_MEDIA_TYPE,
        timeout: float = READ_TIMEOUT,
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
            request = Request(url, body, {**self._headers, "Content-Type": media_type}, method=method)
            response: HTTPResponse = _make_opener(url).open(request, timeout=timeout)
        except HTTPError as exc:
            with exc:
                raise SpeechError(_format_error(exc.code, exc.read())) from exc
        except (OSError, HTTPException, ValueError) as exc:
            reason = getattr(exc, "reason", exc)
            raise WorkerUnavailable(f"The server {self._address} can't be reached: {reason}.") from exc
        return response


def fetch_health(address: str) -> dict[str, Any]:
    """Return the JSON object of GET /health, {} without a server or when another program listens there."""
    try:
        with HttpClient(address).send_request("GET", "/health", timeout=HEALTH_TIMEOUT) as response:
            return _parse_object(response.read(READ_SIZE))
    except (SpeechError, OSError, HTTPException):
        return {}


def is_kokoro_server(address: str) -> bool:
    """Tell whether a server of this kind answers at `address`."""
    return fetch_health(address).get("service") == SERVICE_NAME


def _make_opener(url: str) -> Any:
    """Create a URL opener; it ignores proxy settings for this machine."""
    nearby = urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
    return build_opener(ProxyHandler({})) if nearby else build_opener()


def _format_error(status: int, body: bytes) -> str:
    return str(_parse_object(body).get("message") or f"The server answered {status}.")


def _parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object; return {} for anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
