"""`book`: has a whole book spoken, and waits for the audiobook with a progress bar."""

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

from config import Config
from tts.books.jobs import BOOK_FORMATS, DEFAULT_FORMAT, State
from tts.command.files import save
from tts.command.options import served, settings, voiced
from tts.command.remote import PATIENCE, Remote, is_ours
from tts.speech.errors import SpeechError, WorkerUnavailable

POLL = 0.5
"""Seconds between two looks at how far a book is."""


@click.command("book")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The audiobook, by default named as FILE.")
@click.option("-f", "--format", type=click.Choice(list(BOOK_FORMATS)), help="By default as OUTPUT is called, or m4b.")
@voiced
@click.option("--title", help="By default the file's own.")
@click.option("--author", help="By default the file's own.")
@served
def command(
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
    """Have FILE spoken: an epub, pdf, docx, html, md, txt or srt, into an audiobook with its chapters.

    A server speaks it where one runs. Interrupted, the same command goes on where it was.
    """
    format = format or (_format_of(output) if output else None) or DEFAULT_FORMAT
    output = output or Path(f"{file.stem}.{format}")
    wish = {"voice": voice, "speed": speed, "language": language, "title": title, "author": author, "format": format}
    fields = {name: str(value) for name, value in wish.items() if value is not None}
    with _desk(settings(server), local, file, fields) as desk:
        job = _job(desk, file, fields)
        _follow(desk, job)
        blocks = desk.blocks(desk.ask("GET", f"{job}/audio?format={format}"))
        try:
            size = save(output, format, blocks)
        except OSError as exc:
            raise click.ClickException(f"{output} can't be written: {exc.strerror}.") from exc
    click.echo(f"Spoken into {output} ({size / 1e6:.1f} MB).", err=True)


def _format_of(output: Path) -> str | None:
    suffix = output.suffix.lower().removeprefix(".")
    return suffix if suffix in BOOK_FORMATS else None


@contextmanager
def _desk(config: Config, local: bool, file: Path, fields: Mapping[str, str]) -> Iterator[Remote]:
    """The server to hand the book in at: a running one, or one of our own that keeps its work until it is fetched."""
    address = config.SERVER or f"http://127.0.0.1:{config.PORT}"
    if not local and (config.SERVER or is_ours(address)):
        yield Remote(address, config.API_KEY)
        return
    # Imported here: it brings the whole server, which those who have one running need not load.
    from tts.command.own_server import own_server

    click.echo("Starting an engine, which takes some seconds.", err=True)
    folder = config.DATA_DIR / "command" / _digest(file, fields)
    with own_server(config, folder) as desk:
        yield desk
    shutil.rmtree(folder, ignore_errors=True)  # it is all in the output now


def _digest(file: Path, fields: Mapping[str, str]) -> str:
    """What this book in this manner is known by, so that the same command finds its unfinished work again."""
    content = file.read_bytes() + repr(sorted(fields.items())).encode()
    return hashlib.sha256(content).hexdigest()[:24]


def _job(desk: Remote, file: Path, fields: Mapping[str, str]) -> str:
    """The path of the job: on a server of our own the one that is there, or else a new one."""
    known = desk.told("GET", "/jobs")["jobs"] if desk.is_own else []
    for job in known:
        if job["state"] not in (State.FAILED, State.CANCELLED):
            return str(job["links"]["self"])
    body, kind = _form(file, fields)
    return str(desk.told("POST", "/jobs", body, kind)["links"]["self"])


def _form(file: Path, fields: Mapping[str, str]) -> tuple[bytes, str]:
    """The file and the fields as HTML forms send them, and the media type that says so."""
    cut = secrets.token_hex(16)
    name = file.name.replace("\r", "").replace("\n", "").replace('"', "%22")
    parts = [(f'name="{field}"', value.encode()) for field, value in fields.items()]
    parts.append((f'name="file"; filename="{name}"', file.read_bytes()))
    body = b"".join(
        f"--{cut}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n" for head, data in parts
    )
    return body + f"--{cut}--\r\n".encode(), f"multipart/form-data; boundary={cut}"


def _follow(desk: Remote, job: str) -> None:
    """Show how far the job is until it is done. Raises SpeechError when it ends otherwise."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} % {task.fields[told]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("waiting", total=None, told="")
        try:
            for told in _news(desk, job):
                _show(progress, bar, told)
        except KeyboardInterrupt:
            where = (
                "The same command goes on where it was" if desk.is_own else f"The server goes on: {desk.address}{job}"
            )
            raise click.ClickException(f"Interrupted. {where}.") from None
    if told["state"] != State.DONE:
        raise SpeechError(f"The book is {told['state']}: {told['error'] or 'somebody called it off'}")


def _news(desk: Remote, job: str) -> Iterator[dict[str, Any]]:
    """The job as it stands, again and again until it has ended; a server that is away for a while comes back."""
    seen = time.monotonic()
    while True:
        try:
            told = desk.told("GET", job)
        except WorkerUnavailable:
            if time.monotonic() - seen > PATIENCE:
                raise
        else:
            seen = time.monotonic()
            yield told
            if State(told["state"]).ended:
                return
        time.sleep(POLL)


def _show(progress: Progress, bar: TaskID, told: Mapping[str, Any]) -> None:
    pace, left = told["times_real_time"], told["eta_seconds"]
    words = [
        f"{told['seconds'] / 60:.1f} min",
        f"{pace:.1f} x real time" if pace else "",
        f"{left / 60:.0f} min to go" if left is not None else "",
        told["error"] or "",
    ]
    progress.update(
        bar,
        description=told["title"][:40],
        total=told["characters"],
        completed=told["characters_done"],
        told=", ".join(word for word in words if word),
    )
