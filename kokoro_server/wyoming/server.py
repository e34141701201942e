"""Serve text to speech to Home Assistant over the Wyoming protocol: JSON events with PCM payloads over TCP.

An asyncio event loop in a thread of its own reads and writes events (with the `wyoming` package); the engine's blocking
iterators run in an executor with one thread per connection.

A client sends its text in one of two ways:

- Whole: `synthesize` is answered by `audio-start`, `audio-chunk` ... `audio-stop`.
- Streamed: `synthesize-start`, `synthesize-chunk` ..., `synthesize-stop`. Each sentence is spoken as soon as text
  follows it, since until then it may continue; `synthesize-stop` speaks the rest and is answered by `audio-stop` and
  `synthesize-stopped`. Clients repeat the whole text in a `synthesize` before the stop, which is ignored.

Between the two, `_pending_text` is the state: None outside of a streamed text, else what is not spoken yet.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from kokoro_server import __version__
from kokoro_server.api.schemas import RequestLimits, SpeechFields, make_speech_request
from kokoro_server.audio.samples import BYTES_PER_SAMPLE, SAMPLE_RATE, Chunk, to_pcm
from kokoro_server.core.errors import BadRequest, SpeechError
from kokoro_server.core.languages import find_language
from kokoro_server.core.request import SpeechRequest, check_text
from kokoro_server.core.voices import get_voice_gender, get_voice_language
from kokoro_server.engine.base import Engine, RequestContext
from kokoro_server.text.chunking import BOUNDARY_PAUSES
from kokoro_server.text.segmentation import Strength, find_boundaries
from kokoro_server.text.ssml import is_ssml
from kokoro_server.wyoming.mdns import announce_service

log = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 1 << 20
"""Maximum size in bytes of an event's data or payload: far above the longest text, and it bounds the memory."""
MAX_UNFINISHED_CHARACTERS = 2_000
"""Characters of streamed text without a sentence end after which it is spoken anyway: each piece that arrives has the
whole pending text scanned again."""
SAMPLES_PER_EVENT = SAMPLE_RATE // 10
"""Samples per audio event, 100 ms: satellites on microcontrollers buffer only a few events."""


class BoundedStreamReader(asyncio.StreamReader):
    """Stream reader that refuses payloads over MAX_PAYLOAD_BYTES."""

    async def readexactly(self, n: int) -> bytes:
        """Read `n` bytes. Raises ValueError if `n` is over the limit, EOFError at a premature end."""
        if n > MAX_PAYLOAD_BYTES:
            raise ValueError(f"{n} bytes are no part of an event")  # ends the connection
        return await super().readexactly(n)


@dataclass(frozen=True)
class WyomingContext:
    """Objects that all conversations share.

    Attributes:
        engine: Started engine.
        limits: Limits on requests, the voices and the default voice.
        executor: Threads in which the engine's iterators block.
        is_closing: Return True once the server is being closed. Called from the executor's threads.
    """

    engine: Engine
    limits: RequestLimits
    executor: Executor
    is_closing: Callable[[], bool]


class WyomingServer:
    """Wyoming server with an event loop in a thread of its own."""

    def __init__(self, engine: Engine, limits: RequestLimits, address: str, max_conversations: int) -> None:
        """Bind the listening socket.

        Args:
            engine: Started engine; it must outlive the server.
            limits: Limits on requests.
            address: HOST:PORT, an IPv6 host in brackets.
            max_conversations: Maximum number of connections; further ones are closed at once.

        Raises:
            OSError: The address is in use or invalid.
        """
        host, _, port = address.rpartition(":")
        self._host = host.strip("[]")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.create_server((self._host, int(port)), family=family)
        self._executor = ThreadPoolExecutor(max_conversations, "wyoming")
        self._max_conversations = max_conversations
        self._active_count = 0
        self._closing_event = threading.Event()
        self._context = WyomingContext(engine, limits, self._executor, self._closing_event.is_set)
        self._loop = asyncio.new_event_loop()
        self._stop_event = asyncio.Event()
        self._thread = threading.Thread(target=self._run_loop, name="wyoming", daemon=True)

    @property
    def port(self) -> int:
        """Return the TCP port it listens on; the chosen one if 0 was requested."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Start the event loop's thread."""
        log.info("Listening for Wyoming on tcp://%s:%d", self._host, self.port)
        self._thread.start()

    def close(self) -> None:
        """Cancel all conversations and release the port. The engine must still be running."""
        self._closing_event.set()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop_event.set)
            self._thread.join()
        self._loop.close()
        self._executor.shutdown()
        self._socket.close()

    def _run_loop(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.get_running_loop().create_server(self._make_protocol, sock=self._socket)
        async with announce_service(self._host, self.port):
            await self._stop_event.wait()
        server.close()  # asyncio.Runner cancels the open connections

    def _make_protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(BoundedStreamReader(), self._handle_connection)

    async def _handle_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._active_count >= self._max_conversations:
            log.warning("Refused a Wyoming client: %d connections are open", self._active_count)
            writer.close()
            return
        self._active_count += 1
        try:
            await Conversation(reader, writer, self._context).run()
        except (OSError, EOFError):
            pass  # the client disconnected
        except asyncio.CancelledError:
            pass  # the server is closing; asyncio would log a cancelled handler as an error
        except (AttributeError, KeyError, TypeError, RecursionError) as exc:  # JSON of an unexpected structure
            log.warning("A Wyoming client sent an invalid event: %r", exc)
        finally:
            self._active_count -= 1


class Conversation(AsyncEventHandler):
    """Handle one client's events in order: each is answered before the next is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: WyomingContext) -> None:
        super().__init__(reader, writer)
        self._context = context
        self._voice: SynthesizeVoice | None = None
        self._pending_text: str | None = None
        """Streamed text that was not spoken yet; None outside of a streamed text."""
        self._samples_sent = 0
        """Samples sent since the last audio-start; 0 means that audio-start is still to be sent."""

    async def handle_event(self, event: Event) -> bool:
        """Answer an event, a SpeechError with an error event. Returns True to keep the connection open."""
        try:
            await self._dispatch_event(event)
        except SpeechError as exc:
            log.warning("Wyoming: %s", exc)
            self._pending_text = None
            await self.write_event(Error(exc.message, exc.code).event())
        return True

    async def _dispatch_event(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.write_event(make_info(self._context.limits).event())
        elif Ping.is_type(event.type):
            await self.write_event(Pong(Ping.from_event(event).text).event())
        elif Synthesize.is_type(event.type) and self._pending_text is None:  # otherwise it repeats the streamed text
            await self._handle_synthesize(Synthesize.from_event(event))
        elif SynthesizeStart.is_type(event.type):
            self._voice, self._pending_text, self._samples_sent = SynthesizeStart.from_event(event).voice, "", 0
        elif SynthesizeChunk.is_type(event.type) and self._pending_text is not None:
            self._pending_text += SynthesizeChunk.from_event(event).text
            if self._pending_text.strip():
                check_text(self._pending_text, self._context.limits.max_characters)
            await self._stream_complete_sentences()
        elif SynthesizeStop.is_type(event.type):
            await self._finish_stream()

    async def _handle_synthesize(self, event: Synthesize) -> None:
        self._samples_sent = 0
        await self._stream_speech(self._make_request(event.text, event.voice))
        await self._send_audio_stop()

    async def _stream_complete_sentences(self) -> None:
        """Speak the complete sentences of the pending text; the last one may continue in the next piece."""
        text = self._pending_text or ""
        end = _find_complete_end(text)
        if not end and len(text) > MAX_UNFINISHED_CHARACTERS and not is_ssml(text):
            end = len(text)
        if end:
            self._pending_text = text[end:]
            request = self._make_request(text[:end], self._voice)
            await self._stream_speech(replace(request, final_pause=BOUNDARY_PAUSES[Strength.SENTENCE]))

    async def _finish_stream(self) -> None:
        """Speak what is pending of a streamed text, and end it."""
        try:
            if self._pending_text and self._pending_text.strip():
                await self._stream_speech(self._make_request(self._pending_text, self._voice))
            if self._samples_sent:
                await self._send_audio_stop()
        finally:
            self._pending_text = None
            await self.write_event(SynthesizeStopped().event())

    async def _send_audio_stop(self) -> None:
        await self.write_event(AudioStop(timestamp=_to_milliseconds(self._samples_sent)).event())

    def _make_request(self, text: str, voice: SynthesizeVoice | None) -> SpeechRequest:
        limits = self._context.limits
        return make_speech_request(limits, SpeechFields(text, _choose_voice(voice, limits)))

    async def _stream_speech(self, request: SpeechRequest) -> None:
        """Synthesize the request and send its audio; stop when the client disconnects or the server closes."""
        chunks = self._context.engine.synthesize(request, RequestContext(is_cancelled=self._is_cancelled))
        loop = asyncio.get_running_loop()
        try:
            while (chunk := await loop.run_in_executor(self._context.executor, next, chunks, None)) is not None:
                await self._send_chunk(chunk)
        finally:
            with suppress(ValueError):  # still running in its thread, where is_cancelled ends it
                chunks.close()

    def _is_cancelled(self) -> bool:
        # A client that disconnects with unread audio resets the connection: an exception instead of an end of file.
        return self.reader.at_eof() or self.reader.exception() is not None or self._context.is_closing()

    async def _send_chunk(self, chunk: Chunk) -> None:
        """Send a chunk as 16-bit PCM in events of SAMPLES_PER_EVENT samples."""
        pcm = to_pcm(chunk.samples)
        if not self._samples_sent:
            await self.write_event(AudioStart(SAMPLE_RATE, BYTES_PER_SAMPLE, 1, timestamp=0).event())
        for start in range(0, len(pcm), SAMPLES_PER_EVENT):
            block = pcm[start : start + SAMPLES_PER_EVENT]
            time = _to_milliseconds(self._samples_sent)
            await self.write_event(
                AudioChunk(SAMPLE_RATE, BYTES_PER_SAMPLE, 1, block.tobytes(), timestamp=time).event()
            )
            self._samples_sent += len(block)


def make_info(limits: RequestLimits) -> Info:
    """Describe the server and its voices, the default voice first."""
    voices = [_make_voice(name) for name in (limits.default_voice, *limits.voices) if name in limits.voices]
    program = TtsProgram(
        name="kokoro",
        attribution=ATTRIBUTION,
        installed=True,
        description="Kokoro-82M",
        version=__version__,
        voices=list({voice.name: voice for voice in voices}.values()),
        supports_synthesize_streaming=True,
    )
    return Info(tts=[program])


ATTRIBUTION = Attribution("hexgrad", "https://github.com/hexgrad/kokoro")


def _make_voice(name: str) -> TtsVoice:
    language = get_voice_language(name)
    description = f"{name.split('_')[1].title()} ({language.title_name}, {get_voice_gender(name).title_name})"
    return TtsVoice(
        name=name,
        attribution=ATTRIBUTION,
        installed=True,
        description=description,
        version=None,
        languages=[_format_language_tag(language.code)],
    )


def _format_language_tag(code: str) -> str:
    """Format a language code as Home Assistant does: en-us -> en-US."""
    language, _, region = code.partition("-")
    return f"{language}-{region.upper()}" if region else language


def _choose_voice(wanted: SynthesizeVoice | None, limits: RequestLimits) -> str | None:
    """Choose a voice by the requested name or language; None means the default. Raises BadRequest."""
    if wanted is None or wanted.name or not wanted.language:
        return wanted.name if wanted else None
    language = find_language(wanted.language, "language")
    for name in (limits.default_voice, *limits.voices):
        if get_voice_language(name) is language:
            return name
    raise BadRequest(f"No voice here speaks {wanted.language[:40]!r}.", "language", wanted.language)


def _find_complete_end(text: str) -> int:
    """Return where the last complete sentence ends, 0 if there is none.

    A sentence is complete once text follows it. SSML is complete only at its end, so it gives 0.
    """
    if not text.strip() or is_ssml(text):
        return 0
    ends = [each.end for each in find_boundaries(text) if each.strength >= Strength.SENTENCE and each.end < len(text)]
    return max(ends, default=0)


def _to_milliseconds(samples: int) -> int:
    return 1000 * samples // SAMPLE_RATE
