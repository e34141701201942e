"""Implement `book`: convert a whole book into an audiobook, with a progress bar.

A running server gets the book as a job. Without one, an embedded server keeps its jobs in a folder named after a hash
of the book and the options, so that the same command continues an interrupted job. The folder is removed at the end.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from kokoro_server.audiobooks.jobs import BOOK_FORMATS, DEFAULT_BOOK_FORMAT, JobStatus
from kokoro_server.cli.files import save_audio
from kokoro_server.cli.http_client import READ_TIMEOUT, HttpClient, is_kokoro_server
from kokoro_server.cli.options import add_server_options, add_voice_options, load_settings
from kokoro_server.config import Config
from kokoro_server.core.errors import SpeechError, WorkerUnavailable

PROGRESS_INTERVAL = 0.5
"""Seconds between two requests for the progress of a job."""


@click.command("book")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The audiobook to write; by default FILE with another suffix.",
)
@click.option(
    "-f",
    "--format",
    type=click.Choice(list(BOOK_FORMATS)),
    help="Audio format; by default that of OUTPUT's suffix, or m4b.",
)
@add_voice_options
@click.option("--title", help="By default the one that the file states.")
@click.option("--author", help="By default the one that the file states.")
@add_server_options
def run_book(  # click passes one argument for each option
    file: Path,
    output: Path | None,
    format: str | None,
    voice: str | None,
    speed: float | None,
    language: str | None,
    title: str | None,
    author: str | None,
    server: str | None,
    local: bool,
) -> None:
    """Convert FILE (epub, pdf, docx, html, md, txt or srt) to an audiobook with chapters.

    Uses a running server if there is one. After an interruption, run the same command again to continue.
    """
    format = format or (_detect_book_format(output) if output else None) or DEFAULT_BOOK_FORMAT
    output = output or Path(f"{file.stem}.{format}")
    options = {"voice": voice, "speed": speed, "language": language, "title": title, "author": author, "format": format}
    fields = {name: str(value) for name, value in options.items() if value is not None}
    with _open_book_client(load_settings(server), local, file, fields) as client:
        job = _find_or_create_job(client, file, fields)
        _wait_for_job(client, job)
        blocks = client.iter_body(client.send_request("GET", f"{job}/audio?format={format}"))
        try:
            size = save_audio(output, format, blocks)
        except OSError as exc:
            raise click.ClickException(f"{output} can't be written: {exc.strerror}.") from exc
    click.echo(f"Spoken into {output} ({size / 1e6:.1f} MB).", err=True)


def _detect_book_format(output: Path) -> str | None:
    suffix = output.suffix.lower().removeprefix(".")
    return suffix if suffix in BOOK_FORMATS else None


@contextmanager
def _open_book_client(config: Config, local: bool, file: Path, fields: Mapping[str, str]) -> Iterator[HttpClient]:
    """Yield a client of the running server, or of an embedded one that keeps its jobs until the audiobook is saved."""
    address = config.SERVER or f"http://127.0.0.1:{config.PORT}"
    if not local and (config.SERVER or is_kokoro_server(address)):
        yield HttpClient(address, config.API_KEY)
        return
    # Imported here: it loads the whole server, which is not needed when one is running.
    from kokoro_server.cli.embedded_server import run_embedded_server

    click.echo("Starting an engine, which takes some seconds.", err=True)
    folder = config.DATA_DIR / "command" / _hash_request(file, fields)
    with run_embedded_server(config, folder) as client:
        yield client
    shutil.rmtree(folder, ignore_errors=True)  # on success only: an interrupted job continues from it


def _hash_request(file: Path, fields: Mapping[str, str]) -> str:
    """Hash the book and its options, so that the same command finds its unfinished job again."""
    content = file.read_bytes() + repr(sorted(fields.items())).encode()
    return hashlib.sha256(content).hexdigest()[:24]


def _find_or_create_job(client: HttpClient, file: Path, fields: Mapping[str, str]) -> str:
    """Return the URL path of the job: the unfinished one of an embedded server, or a new one."""
    known = client.request_json("GET", "/jobs")["jobs"] if client.is_embedded else []
    for job in known:
        if job["state"] not in (JobStatus.FAILED, JobStatus.CANCELLED):
            return str(job["links"]["self"])
    body, kind = _encode_form(file, fields)
    return str(client.request_json("POST", "/jobs", body, kind)["links"]["self"])


def _encode_form(file: Path, fields: Mapping[str, str]) -> tuple[bytes, str]:
    """Encode the file and the fields as multipart/form-data; return the body and its media type."""
    separator = secrets.token_hex(16)
    name = file.name.replace("\r", "").replace("\n", "").replace('"', "%22")
    parts = [(f'name="{field}"', value.encode()) for field, value in fields.items()]
    parts.append((f'name="file"; filename="{name}"', file.read_bytes()))
    body = b"".join(
        f"--{separator}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    )
    return body + f"--{separator}--\r\n".encode(), f"multipart/form-data; boundary={separator}"


def _wait_for_job(client: HttpClient, job: str) -> None:
    """Show a progress bar until the job is done. Raises SpeechError when it fails or is cancelled."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} % {task.fields[details]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("waiting", total=None, details="")
        try:
            for status in _poll_job(client, job):
                _update_progress(progress, bar, status)
        except KeyboardInterrupt:
            where = (
                "The same command goes on where it was"
                if client.is_embedded
                else f"The server goes on: {client.address}{job}"
            )
            raise click.ClickException(f"Interrupted. {where}.") from None
    if status["state"] != JobStatus.DONE:
        raise SpeechError(f"The book is {status['state']}: {status['error'] or 'somebody called it off'}")


def _poll_job(client: HttpClient, job: str) -> Iterator[dict[str, Any]]:
    """Yield the job's status every PROGRESS_INTERVAL until it has ended; tolerate an outage of up to READ_TIMEOUT."""
    seen = time.monotonic()
    while True:
        try:
            status = client.request_json("GET", job)
        except WorkerUnavailable:
            if time.monotonic() - seen > READ_TIMEOUT:
                raise
        else:
            seen = time.monotonic()
            yield status
            if JobStatus(status["state"]).is_terminal:
                return
        time.sleep(PROGRESS_INTERVAL)


def _update_progress(progress: Progress, bar: TaskID, status: Mapping[str, Any]) -> None:
    pace, left = status["times_real_time"], status["eta_seconds"]
    words = [
        f"{status['seconds'] / 60:.1f} min",
        f"{pace:.1f} x real time" if pace else "",
        f"{left / 60:.0f} min to go" if left is not None else "",
        status["error"] or "",
    ]
    progress.update(
        bar,
        description=status["title"][:40],
        total=status["characters"],
        completed=status["characters_done"],
        details=", ".join(word for word in words if word),
    )
