"""HTTP by hand: what no client library would send, and what it would hide of the answer."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, header names in small letters."""

    status: int
    version: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def asked(path: str, fields: dict[str, Any], version: str = "1.1", *headers: str) -> bytes:
    """A POST of JSON."""
    body = json.dumps(fields).encode()
    lines = [
        f"POST {path} HTTP/{version}",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def exchange(address: str, sent: bytes) -> Answer:
    """Send the bytes and read until the server closes."""
    with closing(connect(address)) as connection:
        connection.sendall(sent)
        return parsed(read_all(connection))


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def parsed(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(status), version, {name.lower(): value for name, value in headers.items()}, body)
