"""Serve the audiobook job routes: submit a book, follow its progress, download the audiobook and its captions.

A book arrives as plain text in JSON or as a file in a multipart form. The job itself belongs to AudiobookService, which
runs it in the background and keeps it over restarts; these routes translate between its objects and JSON.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated, Any

from flask import Blueprint, Response, current_app, jsonify, request, send_file, stream_with_context, url_for
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict
from werkzeug.datastructures import FileStorage

from tts.api.bodies import Emoji, Limits, Said, Speed, Strict, read_body, speech_request, validated
from tts.api.description import described
from tts.api.responses import EVENTS, UNBUFFERED, event, limits, listener
from tts.books.book import LONGEST_NAME, Book, tidied, tidy_name
from tts.books.jobs import BOOK_FORMATS, DEFAULT_FORMAT, Job, Narration, State
from tts.books.library import Library
from tts.books.plain import read_text
from tts.books.reading import SUFFIXES, read_file, suffix_of
from tts.speech.audio import SAMPLE_RATE
from tts.speech.captions import CAPTION_TYPES
from tts.speech.errors import BadRequest, NotFound
from tts.speech.request import check_text
from tts.speech.voices import find_language, language_of

blueprint = Blueprint("jobs", __name__)

FORM_SLACK = 65_536
"""Bytes that a multipart form may hold beyond the file: the other fields, headers and boundaries."""
POLL = 0.5
"""Seconds between two reads of the state of a job whose events are streamed."""
KEEP_ALIVE = 15.0
"""Seconds without a change after which a comment is sent: proxies close connections that are idle for 30 or 60 s."""

Name = Annotated[str | None, Field(max_length=LONGEST_NAME)]


class Wish(BaseModel):
    """Options of a book's narration and of its audio file."""

    voice: Annotated[str | None, Field(description="A voice or a blend; by default one for the book's language.")] = (
        None
    )
    speed: Speed | None = None
    language: Annotated[str | None, Field(description="The book's language, by default the voice's.")] = None
    format: Annotated[str | None, Field(description=f"One of {', '.join(BOOK_FORMATS)}; m4b by default.")] = None
    title: Annotated[Name, Field(description="By default the file's own.")] = None
    author: Annotated[Name, Field(description="By default the file's own.")] = None
    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None
    emoji: Emoji = None
    pronunciations: Said = None


class JobBody(Wish):
    """JSON body of POST /jobs."""

    model_config = Strict

    text: Annotated[str, Field(description="The book, as plain text.")]


class JobForm(Wish):
    """Form fields of POST /jobs beside `file`; not strict, since every form field is text."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


def library() -> Library:
    """Return the application's AudiobookService, which is thread-safe."""
    found: Library = current_app.extensions["library"]
    return found


def upload_limit(config: Mapping[str, Any]) -> int:
    """Return the maximum size of the body of POST /jobs in bytes."""
    return int(config["UPLOAD_MB"]) * 1_000_000 + FORM_SLACK


class Links(TypedDict):
    self: str
    events: str
    audio: str
    captions: str


class JobState(TypedDict):
    """State of a job; lengths in characters, durations in seconds, times in ISO 8601 (UTC)."""

    id: str
    state: State
    title: str
    author: str
    voice: str
    language: str
    speed: float
    format: str
    characters: int
    characters_done: int
    seconds: float
    eta_seconds: float | None
    times_real_time: float | None
    error: str | None
    created: str
    started: str | None
    ended: str | None
    links: Links


class ChapterState(TypedDict):
    title: str
    characters: int
    start_seconds: float | None


class JobDetails(JobState):
    chapters: list[ChapterState]


class JobList(TypedDict):
    jobs: list[JobState]


@blueprint.post("/jobs")
@described(body=JobBody, returns=JobState, statuses=(429, 503, 507), success=202)
def submit() -> Response:
    """Submit a book, as text or as `file` of a form with the same fields, to be narrated in the background."""
    request.max_content_length = upload_limit(current_app.config)
    options, book = _from_form() if request.mimetype == "multipart/form-data" else _from_json()
    book = replace(
        book,
        title=tidy_name(options.title or book.title) or "Untitled",
        author=tidy_name(options.author or book.author),
    )
    job = library().submit(book, _narration(options, book), _format(options.format or DEFAULT_FORMAT))
    response = jsonify(_told(job))
    response.status_code = 202
    response.headers["Location"] = url_for("jobs.show", job_id=job.id)
    return response


@blueprint.get("/jobs")
@described(statuses=(503,))
def index() -> JobList:
    """List the jobs, newest first."""
    return {"jobs": [_told(job) for job in library().jobs()]}


@blueprint.get("/jobs/<job_id>")
@described(statuses=(404, 503))
def show(job_id: str) -> JobDetails:
    """Show the progress of a job, and its chapters."""
    job = library().find(job_id)
    return {**_told(job), "chapters": [_heading(*each) for each in library().headings(job.id)]}


@blueprint.get("/jobs/<job_id>/events")
@described(answer=(EVENTS,), statuses=(404, 503))
def events(job_id: str) -> Response:
    """Stream the progress of a job as server-sent events until it ends."""
    is_cancelled = request.environ.get("waitress.client_disconnected", lambda: False)
    stream = stream_with_context(_events(library(), library().find(job_id), is_cancelled))
    return Response(stream, mimetype=EVENTS, headers={"Cache-Control": "no-cache", **UNBUFFERED})


@blueprint.get("/jobs/<job_id>/audio")
@described(
    answer=tuple(format.content_type for format in BOOK_FORMATS.values()),
    statuses=(206, 304, 400, 404, 409, 416, 429, 503, 507),
    query={"format": str, "partial": bool, "download": bool},
)
def audio(job_id: str) -> Response:
    """Send the audiobook, or the part of it that a Range header names."""
    job = library().find(job_id)
    format = BOOK_FORMATS[_format(request.args.get("format") or job.format)]
    path = library().audio(job, format.name, listener(), _is_set("partial"))
    response = send_file(
        path,
        mimetype=format.content_type,
        as_attachment=_is_set("download"),
        download_name=f"{_file_name(job.title)}.{format.extension}",
        conditional=True,
    )
    response.direct_passthrough = False  # passed through as a bare file, its close hooks would never run
    return response


@blueprint.get("/jobs/<job_id>/captions.<any(vtt, srt):kind>")
@described(answer=tuple(CAPTION_TYPES.values()), statuses=(404, 409, 503), query={"partial": bool})
def captions(job_id: str, kind: str) -> Response:
    """Send the captions of the audiobook as WebVTT or SubRip."""
    text = library().captions(library().find(job_id), kind, _is_set("partial"))
    return Response(text, content_type=f"{CAPTION_TYPES[kind]}; charset=utf-8")


@blueprint.delete("/jobs/<job_id>")
@described(answer=(), statuses=(404, 503), success=204)
def delete(job_id: str) -> tuple[str, int]:
    """Cancel a job, or delete one that has ended; its audio is removed in both cases."""
    library().remove(job_id)
    return "", 204


def _from_json() -> tuple[Wish, Book]:
    body = read_body(request, JobBody)
    limits = library().terms.limits
    text = check_text(body.text, limits.characters)
    return body, tidied(read_text(text), limits, "text")


def _from_form() -> tuple[Wish, Book]:
    file = request.files.get("file")
    if file is None:
        kinds = f"a {', '.join(SUFFIXES)} file"
        raise BadRequest(f"file is missing: expected {kinds}.", "file", None, kinds)
    options = validated({name: value for name, value in request.form.items() if value.strip()}, JobForm)
    _format(options.format or DEFAULT_FORMAT)  # refuse a wrong format before parsing a long file
    return options, _read(file)


def _read(file: FileStorage) -> Book:
    """Parse an uploaded book; one without a title gets the file's name. Raises BadRequest or TooLarge."""
    name = file.filename or ""
    suffix = suffix_of(name, file.mimetype, "file")
    with library().incoming(suffix) as path:
        file.save(path)
        book = read_file(path, library().terms.limits)
    return book if book.title else replace(book, title=PurePath(name.replace("\\", "/")).stem)


def _narration(wish: Wish, book: Book) -> Narration:
    """Check the options and return how the book is narrated. Raises BadRequest."""
    voice = wish.voice or _narrator(wish.language or book.language, limits())
    template = speech_request(
        limits(),
        "A book.",  # a placeholder: each segment of the book replaces it, and markup inside a book is not interpreted
        voice,
        wish.language,
        wish.speed,
        normalize=wish.normalize is not False,
        emoji=wish.emoji,
        pronunciations=wish.pronunciations,
    )
    return Narration(
        template.voice, template.language, template.speed, template.normalize, template.pronunciations, template.emoji
    )


def _narrator(language: str, allowed: Limits) -> str:
    """Choose a voice for a book in `language`: the default voice where it fits, or else the first that does.

    `language` is a tag as book files state it ("en-GB", "pt_BR"), or empty. The default voice reads all English,
    British or American. Raises BadRequest when no voice speaks the language: the wrong voice makes hours of
    unintelligible audio, and nobody notices before the end.
    """
    default = allowed.default_voice
    if not language:
        return default
    try:
        letter = find_language(language).letter
    except BadRequest:  # an unknown region: "fr-CH" -> "fr"
        letter = find_language(re.split("[-_]", language)[0]).letter
    english = letter in "ab" and default[0] in "ab"
    fitting = [voice for voice in (default, *allowed.voices) if voice[0] == letter]
    if not fitting and not english:
        raise BadRequest(f"No voice here speaks {language[:40]!r}: name a voice to have it read all the same.", "voice")
    return default if english else fitting[0]


def _format(name: str) -> str:
    if name.lower() not in BOOK_FORMATS:
        known = list(BOOK_FORMATS)
        raise BadRequest(f"Unsupported format {name[:40]!r}: expected {', '.join(known)}.", "format", name, known)
    return name.lower()


def _is_set(name: str) -> bool:
    return request.args.get(name, "").lower() in ("1", "true", "yes")


def _told(job: Job) -> JobState:
    left = job.seconds_left
    pace = job.times_real_time
    return {
        "id": job.id,
        "state": job.state,
        "title": job.title,
        "author": job.author,
        "voice": job.narration.voice.name,
        "language": language_of(job.narration.language).code,
        "speed": job.narration.speed,
        "format": job.format,
        "characters": job.characters,
        "characters_done": job.characters_done,
        "seconds": round(job.seconds, 3),
        "eta_seconds": None if left is None else round(left, 1),
        "times_real_time": None if pace is None else round(pace, 2),
        "error": job.error,
        "created": _moment(job.created),
        "started": None if job.started is None else _moment(job.started),
        "ended": None if job.ended is None else _moment(job.ended),
        "links": {
            "self": url_for("jobs.show", job_id=job.id),
            "events": url_for("jobs.events", job_id=job.id),
            "audio": url_for("jobs.audio", job_id=job.id),
            "captions": url_for("jobs.captions", job_id=job.id, kind="vtt"),
        },
    }


def _heading(title: str, characters: int, samples: int | None) -> ChapterState:
    starts = None if samples is None else round(samples / SAMPLE_RATE, 3)
    return {"title": title, "characters": characters, "start_seconds": starts}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _events(books: Library, job: Job, has_gone: Callable[[], bool]) -> Iterator[bytes]:
    """Yield a `progress` event whenever the job has changed, and last an event named after its final state.

    Ends early when the client disconnects, the service stops, or the job is removed.
    """
    sent = None
    last_sent_at = 0.0
    while True:
        if job != sent:
            name = job.state if job.state.ended else "progress"
            yield f"event: {name}\n".encode() + event({**_told(job)})
            sent, last_sent_at = job, time.monotonic()
        elif time.monotonic() - last_sent_at > KEEP_ALIVE:
            yield b": nothing new\n\n"  # a line that begins with a colon is a comment, which clients ignore
            last_sent_at = time.monotonic()
        if job.state.ended or books.stopped or has_gone():
            return
        time.sleep(POLL)
        try:
            job = books.find(job.id)
        except NotFound:
            return  # it ended and was removed between two reads


def _file_name(title: str) -> str:
    """Convert a title to a file name that is valid on every operating system, without the suffix."""
    return re.sub(r'[\\/:*?"<>|\s]+', " ", title)[:80].strip(" .") or "book"
