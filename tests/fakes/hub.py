"""A hub on this machine: serves voices as the .pt files that the real one has."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def pt(floats: bytes, member: str = "voice/data/0") -> bytes:
    """What torch.save makes of one tensor, as far as it matters."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("voice/data.pkl", b"not looked at")
        archive.writestr(member, floats)
    return file.getvalue()


class Hub(ThreadingHTTPServer):
    """Has `files` by name; those in `broken` are cut short, and `asked` lists every path that was asked for."""

    def __init__(self, files: Mapping[str, bytes], rubbish: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.rubbish = rubbish
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.rubbish:
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            return
        body = self.server.files.get(self.path.rpartition("/")[2])
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


@contextmanager
def hub(files: Mapping[str, bytes], rubbish: bool = False) -> Iterator[Hub]:
    server = Hub(files, rubbish)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
