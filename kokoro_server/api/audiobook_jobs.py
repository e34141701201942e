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

from kokoro_server.api.openapi import describe_route
from kokoro_server.api.query import parse_bool_query
from kokoro_server.api.responses import EVENT_STREAM, UNBUFFERED_HEADERS, encode_event
from kokoro_server.api.schemas import (
    STRICT_CONFIG,
    Emoji,
    Pronunciations,
    RequestLimits,
    SpeechFields,
    Speed,
    make_speech_request,
    read_body,
    validate_fields,
)
from kokoro_server.api.state import get_limits, get_state, make_request_context
from kokoro_server.audio.samples import SAMPLE_RATE
from kokoro_server.audiobooks.formats.book import MAX_NAME_LENGTH, Book, clean_book, clean_name
from kokoro_server.audiobooks.formats.plain_text import read_plain_text
from kokoro_server.audiobooks.jobs import BOOK_FORMATS, DEFAULT_BOOK_FORMAT, Job, JobStatus, Narration
from kokoro_server.audiobooks.reading import SUFFIXES, detect_suffix, read_book_file
from kokoro_server.audiobooks.service import AudiobookService
from kokoro_server.core.errors import BadRequest, NotFound
from kokoro_server.core.languages import find_language
from kokoro_server.core.request import check_text
from kokoro_server.core.voices import get_voice_language
from kokoro_server.synthesis.captions import CAPTION_MEDIA_TYPES

blueprint = Blueprint("jobs", __name__)

MAX_FORM_OVERHEAD = 65_536
"""Bytes that a multipart form may hold beyond the file: the other fields, headers and boundaries."""
EVENT_POLL_INTERVAL = 0.5
"""Seconds between two reads of the state of a job whose events are streamed."""
KEEP_ALIVE_INTERVAL = 15.0
"""Seconds without a change after which a comment is sent: proxies close connections that are idle for 30 or 60 s."""

OptionalName = Annotated[str | None, Field(max_length=MAX_NAME_LENGTH)]


class BookOptions(BaseModel):
    """Options of a book's narration and of its audio file."""

    voice: Annotated[str | None, Field(description="A voice or a blend; by default one for the book's language.")] = (
        None
    )
    speed: Speed | None = None
    language: Annotated[str | None, Field(description="The book's language, by default the voice's.")] = None
    format: Annotated[str | None, Field(description=f"One of {', '.join(BOOK_FORMATS)}; m4b by default.")] = None
    title: Annotated[OptionalName, Field(description="By default the file's own.")] = None
    author: Annotated[OptionalName, Field(description="By default the file's own.")] = None
    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None
    emoji: Emoji = None
    pronunciations: Pronunciations = None


class JobBody(BookOptions):
    """JSON body of POST /jobs."""

    model_config = STRICT_CONFIG

    text: Annotated[str, Field(description="The book, as plain text.")]


class JobForm(BookOptions):
    """Form fields of POST /jobs beside `file`; not strict, since every form field is text."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


def get_audiobook_service() -> AudiobookService:
    """Return the application's AudiobookService, which is thread-safe."""
    return get_state().audiobooks


def get_max_upload_bytes(config: Mapping[str, Any]) -> int:
    """Return the maximum size of the body of POST /jobs in bytes."""
    return int(config["UPLOAD_MB"]) * 1_000_000 + MAX_FORM_OVERHEAD


class Links(TypedDict):
    self: str
    events: str
    audio: str
    captions: str


class JobState(TypedDict):
    """State of a job; lengths in characters, durations in seconds, times in ISO 8601 (UTC)."""

    id: str
    state: JobStatus
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
@describe_route(body=JobBody, returns=JobState, statuses=(429, 503, 507), success=202)
def submit_job() -> Response:
    """Submit a book, as text or as `file` of a form with the same fields, to be narrated in the background."""
    request.max_content_length = get_max_upload_bytes(current_app.config)
    options, book = _read_form_book() if request.mimetype == "multipart/form-data" else _read_json_book()
    book = replace(
        book,
        title=clean_name(options.title or book.title) or "Untitled",
        author=clean_name(options.author or book.author),
    )
    job = get_audiobook_service().submit(
        book, _make_narration(options, book), _check_book_format(options.format or DEFAULT_BOOK_FORMAT)
    )
    response = jsonify(_to_job_state(job))
    response.status_code = 202
    response.headers["Location"] = url_for("jobs.show_job", job_id=job.id)
    return response


@blueprint.get("/jobs")
@describe_route(statuses=(503,))
def list_jobs() -> JobList:
    """List the jobs, newest first."""
    return {"jobs": [_to_job_state(job) for job in get_audiobook_service().list_jobs()]}


@blueprint.get("/jobs/<job_id>")
@describe_route(statuses=(404, 503))
def show_job(job_id: str) -> JobDetails:
    """Show the progress of a job, and its chapters."""
    job = get_audiobook_service().find_job(job_id)
    return {
        **_to_job_state(job),
        "chapters": [_to_chapter_state(*each) for each in get_audiobook_service().list_chapter_starts(job.id)],
    }


@blueprint.get("/jobs/<job_id>/events")
@describe_route(media_types=(EVENT_STREAM,), statuses=(404, 503))
def stream_job_events(job_id: str) -> Response:
    """Stream the progress of a job as server-sent events until it ends."""
    is_cancelled = request.environ.get("waitress.client_disconnected", lambda: False)
    stream = stream_with_context(
        _encode_job_events(get_audiobook_service(), get_audiobook_service().find_job(job_id), is_cancelled)
    )
    return Response(stream, mimetype=EVENT_STREAM, headers={"Cache-Control": "no-cache", **UNBUFFERED_HEADERS})


@blueprint.get("/jobs/<job_id>/audio")
@describe_route(
    media_types=tuple(format.content_type for format in BOOK_FORMATS.values()),
    statuses=(206, 304, 400, 404, 409, 416, 429, 503, 507),
    query={"format": str, "partial": bool, "download": bool},
)
def download_audio(job_id: str) -> Response:
    """Send the audiobook, or the part of it that a Range header names."""
    job = get_audiobook_service().find_job(job_id)
    format = BOOK_FORMATS[_check_book_format(request.args.get("format") or job.format)]
    path = get_audiobook_service().get_audio_file(job, format.name, make_request_context(), parse_bool_query("partial"))
    response = send_file(
        path,
        mimetype=format.content_type,
        as_attachment=parse_bool_query("download"),
        download_name=f"{_make_file_name(job.title)}.{format.extension}",
        conditional=True,
    )
    response.direct_passthrough = False  # passed through as a bare file, its close hooks would never run
    return response


@blueprint.get("/jobs/<job_id>/captions.<any(vtt, srt):kind>")
@describe_route(media_types=tuple(CAPTION_MEDIA_TYPES.values()), statuses=(404, 409, 503), query={"partial": bool})
def download_captions(job_id: str, kind: str) -> Response:
    """Send the captions of the audiobook as WebVTT or SubRip."""
    text = get_audiobook_service().get_captions(
        get_audiobook_service().find_job(job_id), kind, parse_bool_query("partial")
    )
    return Response(text, content_type=f"{CAPTION_MEDIA_TYPES[kind]}; charset=utf-8")


@blueprint.delete("/jobs/<job_id>")
@describe_route(media_types=(), statuses=(404, 503), success=204)
def delete_job(job_id: str) -> tuple[str, int]:
    """Cancel a job, or delete one that has ended; its audio is removed in both cases."""
    get_audiobook_service().remove_job(job_id)
    return "", 204


def _read_json_book() -> tuple[BookOptions, Book]:
    body = read_body(request, JobBody)
    limits = get_audiobook_service().settings.book_limits
    text = check_text(body.text, limits.characters)
    return body, clean_book(read_plain_text(text), limits, "text")


def _read_form_book() -> tuple[BookOptions, Book]:
    file = request.files.get("file")
    if file is None:
        kinds = f"a {', '.join(SUFFIXES)} file"
        raise BadRequest(f"file is missing: expected {kinds}.", "file", None, kinds)
    options = validate_fields({name: value for name, value in request.form.items() if value.strip()}, JobForm)
    _check_book_format(options.format or DEFAULT_BOOK_FORMAT)  # refuse a wrong format before parsing a long file
    return options, _read_upload(file)


def _read_upload(file: FileStorage) -> Book:
    """Parse an uploaded book; one without a title gets the file's name. Raises BadRequest or TooLarge."""
    name = file.filename or ""
    suffix = detect_suffix(name, file.mimetype, "file")
    with get_audiobook_service().create_upload_path(suffix) as path:
        file.save(path)
        book = read_book_file(path, get_audiobook_service().settings.book_limits)
    return book if book.title else replace(book, title=PurePath(name.replace("\\", "/")).stem)


def _make_narration(options: BookOptions, book: Book) -> Narration:
    """Check the options and return how the book is narrated. Raises BadRequest."""
    voice = options.voice or _choose_narrator(options.language or book.language, get_limits())
    fields = SpeechFields(
        "A book.",  # a placeholder: each segment of the book replaces it, and markup inside a book is not interpreted
        voice,
        options.language,
        options.speed,
        options.normalize,
        options.emoji,
        options.pronunciations,
    )
    template = make_speech_request(get_limits(), fields)
    return Narration(
        template.voice, template.language, template.speed, template.normalize, template.pronunciations, template.emoji
    )


def _choose_narrator(language: str, allowed: RequestLimits) -> str:
    """Choose a voice for a book in `language`: the default voice where it fits, or else the first that does.

    `language` is a tag as book files state it ("en-GB", "pt_BR"), or empty. The default voice reads all English,
    British or American. Raises BadRequest when no voice speaks the language: the wrong voice makes hours of
    unintelligible audio, and nobody notices before the end.
    """
    default = allowed.default_voice
    if not language:
        return default
    try:
        wanted = find_language(language)
    except BadRequest:  # an unknown region: "fr-CH" -> "fr"
        wanted = find_language(re.split("[-_]", language)[0])
    english = wanted.is_english and get_voice_language(default).is_english
    fitting = [voice for voice in (default, *allowed.voices) if get_voice_language(voice) is wanted]
    if not fitting and not english:
        raise BadRequest(f"No voice here speaks {language[:40]!r}: name a voice to have it read all the same.", "voice")
    return default if english else fitting[0]


def _check_book_format(name: str) -> str:
    if name.lower() not in BOOK_FORMATS:
        known = list(BOOK_FORMATS)
        raise BadRequest(f"Unsupported format {name[:40]!r}: expected {', '.join(known)}.", "format", name, known)
    return name.lower()


def _to_job_state(job: Job) -> JobState:
    left = job.seconds_left
    pace = job.times_real_time
    return {
        "id": job.id,
        "state": job.state,
        "title": job.title,
        "author": job.author,
        "voice": job.narration.voice.name,
        "language": job.narration.language.code,
        "speed": job.narration.speed,
        "format": job.format,
        "characters": job.characters,
        "characters_done": job.characters_done,
        "seconds": round(job.seconds, 3),
        "eta_seconds": None if left is None else round(left, 1),
        "times_real_time": None if pace is None else round(pace, 2),
        "error": job.error,
        "created": _format_time(job.created_at),
        "started": None if job.started_at is None else _format_time(job.started_at),
        "ended": None if job.ended_at is None else _format_time(job.ended_at),
        "links": {
            "self": url_for("jobs.show_job", job_id=job.id),
            "events": url_for("jobs.stream_job_events", job_id=job.id),
            "audio": url_for("jobs.download_audio", job_id=job.id),
            "captions": url_for("jobs.download_captions", job_id=job.id, kind="vtt"),
        },
    }


def _to_chapter_state(title: str, characters: int, samples: int | None) -> ChapterState:
    starts = None if samples is None else round(samples / SAMPLE_RATE, 3)
    return {"title": title, "characters": characters, "start_seconds": starts}


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _encode_job_events(service: AudiobookService, job: Job, is_cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """Yield a `progress` event whenever the job has changed, and last an event named after its final state.

    Ends early when the client disconnects, the service stops, or the job is removed.
    """
    sent = None
    last_sent_at = 0.0
    while True:
        if job != sent:
            name = job.state if job.state.is_terminal else "progress"
            yield f"event: {name}\n".encode() + encode_event({**_to_job_state(job)})
            sent, last_sent_at = job, time.monotonic()
        elif time.monotonic() - last_sent_at > KEEP_ALIVE_INTERVAL:
            yield b": nothing new\n\n"  # a line that begins with a colon is a comment, which clients ignore
            last_sent_at = time.monotonic()
        if job.state.is_terminal or service.is_stopped or is_cancelled():
            return
        time.sleep(EVENT_POLL_INTERVAL)
        try:
            job = service.find_job(job.id)
        except NotFound:
            return  # it ended and was removed between two reads


def _make_file_name(title: str) -> str:
    """Convert a title to a file name that is valid on every operating system, without the suffix."""
    return re.sub(r'[\\/:*?"<>|\s]+', " ", title)[:80].strip(" .") or "book"
