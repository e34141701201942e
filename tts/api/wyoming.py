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

from tts import __version__
from tts.api.announcement import announced
from tts.api.bodies import Limits, speech_request
from tts.engines.base import Engine, Listener
from tts.speech.audio import PCM_BYTES, SAMPLE_RATE, Chunk, to_pcm
from tts.speech.errors import BadRequest, SpeechError
from tts.speech.request import SpeechRequest, check_text
from tts.speech.sentences import Strength, boundaries
from tts.speech.ssml import is_ssml
from tts.speech.text import RESTS
from tts.speech.voices import find_language, language_of

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 20
"""Maximum size in bytes of an event's data or payload: far above the longest text, and it bounds the memory."""
UNFINISHED = 2_000
"""Characters of streamed text without a sentence end after which it is spoken anyway: each piece that arrives has the
whole pending text scanned again."""
BLOCK = SAMPLE_RATE // 10
"""Samples per audio event, 100 ms: satellites on microcontrollers buffer only a few events."""


class Bounded(asyncio.StreamReader):
    """Stream reader that refuses payloads over MAX_PAYLOAD_BYTES."""

    async def readexactly(self, n: int) -> bytes:
        """Read `n` bytes. Raises ValueError if `n` is over the limit, EOFError at a premature end."""
        if n > MOST_BYTES:
            raise ValueError(f"{n} bytes are no part of an event")  # ends the connection
        return await super().readexactly(n)


@dataclass(frozen=True)
class Spoken:
    """Objects that all conversations share.

    Attributes:
        engine: Started engine.
        limits: Limits on requests, the voices and the default voice.
        executor: Threads in which the engine's iterators block.
        is_closing: Return True once the server is being closed. Called from the executor's threads.
    """

    engine: Engine
    limits: Limits
    threads: Executor
    closing: Callable[[], bool]


class Wyoming:
    """Wyoming server with an event loop in a thread of its own."""

    def __init__(self, engine: Engine, limits: Limits, address: str, conversations: int) -> None:
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
        self._threads = ThreadPoolExecutor(conversations, "wyoming")
        self._conversations = conversations
        self._talking = 0
        self._ended = threading.Event()
        self._spoken = Spoken(engine, limits, self._threads, self._ended.is_set)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="wyoming", daemon=True)

    @property
    def port(self) -> int:
        """TCP port it listens on; the chosen one if 0 was requested."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Start the event loop's thread."""
        log.info("Listening for Wyoming on tcp://%s:%d", self._host, self.port)
        self._thread.start()

    def close(self) -> None:
        """Cancel all conversations and release the port. The engine must still be running."""
        self._ended.set()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self._loop.close()
        self._threads.shutdown()
        self._socket.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.get_running_loop().create_server(self._protocol, sock=self._socket)
        async with announced(self._host, self.port):
            await self._stop.wait()
        server.close()  # asyncio.Runner cancels the open connections

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(Bounded(), self._converse)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._talking >= self._conversations:
            log.warning("Refused a Wyoming client: %d connections are open", self._talking)
            writer.close()
            return
        self._talking += 1
        try:
            await Conversation(reader, writer, self._spoken).run()
        except (OSError, EOFError):
            pass  # the client disconnected
        except asyncio.CancelledError:
            pass  # the server is closing; asyncio would log a cancelled handler as an error
        except (AttributeError, KeyError, TypeError, RecursionError) as exc:  # JSON of an unexpected structure
            log.warning("A Wyoming client sent an invalid event: %r", exc)
        finally:
            self._talking -= 1


class Conversation(AsyncEventHandler):
    """Handle one client's events in order: each is answered before the next is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spoken: Spoken) -> None:
        super().__init__(reader, writer)
        self._spoken = spoken
        self._voice: SynthesizeVoice | None = None
        self._text: str | None = None
        """Streamed text that was not spoken yet; None outside of a streamed text."""
        self._sent = 0
        """Samples sent since the last audio-start; 0 means that audio-start is still to be sent."""

    async def handle_event(self, event: Event) -> bool:
        """Answer an event, a SpeechError with an error event. Returns True to keep the connection open."""
        try:
            await self._answer(event)
        except SpeechError as exc:
            log.warning("Wyoming: %s", exc)
            self._text = None
            await self.write_event(Error(exc.message, exc.code).event())
        return True

    async def _answer(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.write_event(info(self._spoken.limits).event())
        elif Ping.is_type(event.type):
            await self.write_event(Pong(Ping.from_event(event).text).event())
        elif Synthesize.is_type(event.type) and self._text is None:  # otherwise it repeats the streamed text
            await self._speak_whole(Synthesize.from_event(event))
        elif SynthesizeStart.is_type(event.type):
            self._voice, self._text, self._sent = SynthesizeStart.from_event(event).voice, "", 0
        elif SynthesizeChunk.is_type(event.type) and self._text is not None:
            self._text += SynthesizeChunk.from_event(event).text
            if self._text.strip():
                check_text(self._text, self._spoken.limits.longest)
            await self._speak_sentences()
        elif SynthesizeStop.is_type(event.type):
            await self._speak_rest()

    async def _speak_whole(self, event: Synthesize) -> None:
        self._sent = 0
        await self._speak(self._request(event.text, event.voice))
        await self._end()

    async def _speak_sentences(self) -> None:
        """Speak the complete sentences of the pending text; the last one may continue in the next piece."""
        text = self._text or ""
        end = _whole(text)
        if not end and len(text) > UNFINISHED and not is_ssml(text):
            end = len(text)
        if end:
            self._text = text[end:]
            request = self._request(text[:end], self._voice)
            await self._speak(replace(request, rest=RESTS[Strength.SENTENCE]))

    async def _speak_rest(self) -> None:
        """Speak what is pending of a streamed text, and end it."""
        try:
            if self._text and self._text.strip():
                await self._speak(self._request(self._text, self._voice))
            if self._sent:
                await self._end()
        finally:
            self._text = None
            await self.write_event(SynthesizeStopped().event())

    async def _end(self) -> None:
        await self.write_event(AudioStop(timestamp=_milliseconds(self._sent)).event())

    def _request(self, text: str, voice: SynthesizeVoice | None) -> SpeechRequest:
        limits = self._spoken.limits
        return speech_request(limits, text, _voice_name(voice, limits), None, None)

    async def _speak(self, request: SpeechRequest) -> None:
        """Synthesize the request and send its audio; stop when the client disconnects or the server closes."""
        chunks = self._spoken.engine.synthesize(request, Listener(has_gone=self._has_gone))
        loop = asyncio.get_running_loop()
        try:
            while (chunk := await loop.run_in_executor(self._spoken.threads, next, chunks, None)) is not None:
                await self._send(chunk)
        finally:
            with suppress(ValueError):  # still running in its thread, where is_cancelled ends it
                chunks.close()

    def _has_gone(self) -> bool:
        # A client that disconnects with unread audio resets the connection: an exception instead of an end of file.
        return self.reader.at_eof() or self.reader.exception() is not None or self._spoken.closing()

    async def _send(self, chunk: Chunk) -> None:
        """Send a chunk as 16-bit PCM in events of SAMPLES_PER_EVENT samples."""
        pcm = to_pcm(chunk.samples)
        if not self._sent:
            await self.write_event(AudioStart(SAMPLE_RATE, PCM_BYTES, 1, timestamp=0).event())
        for start in range(0, len(pcm), BLOCK):
            block = pcm[start : start + BLOCK]
            time = _milliseconds(self._sent)
            await self.write_event(AudioChunk(SAMPLE_RATE, PCM_BYTES, 1, block.tobytes(), timestamp=time).event())
            self._sent += len(block)


def info(limits: Limits) -> Info:
    """Describe the server and its voices, the default voice first."""
    voices = [_voice(name) for name in (limits.default_voice, *limits.voices) if name in limits.voices]
    program = TtsProgram(
        name="kokoro",
        attribution=HEXGRAD,
        installed=True,
        description="Kokoro-82M",
        version=__version__,
        voices=list({voice.name: voice for voice in voices}.values()),
        supports_synthesize_streaming=True,
    )
    return Info(tts=[program])


HEXGRAD = Attribution("hexgrad", "https://github.com/hexgrad/kokoro")


def _voice(name: str) -> TtsVoice:
    language = language_of(name[0])
    description = f"{name.split('_')[1].title()} ({language.name}, {'female' if name[1] == 'f' else 'male'})"
    return TtsVoice(
        name=name,
        attribution=HEXGRAD,
        installed=True,
        description=description,
        version=None,
        languages=[_tag(language.code)],
    )


def _tag(code: str) -> str:
    """Format a language code as Home Assistant does: en-us -> en-US."""
    language, _, region = code.partition("-")
    return f"{language}-{region.upper()}" if region else language


def _voice_name(wanted: SynthesizeVoice | None, limits: Limits) -> str | None:
    """Choose a voice by the requested name or language; None means the default. Raises BadRequest."""
    if wanted is None or wanted.name or not wanted.language:
        return wanted.name if wanted else None
    letter = find_language(wanted.language, "language").letter
    for name in (limits.default_voice, *limits.voices):
        if name[0] == letter:
            return name
    raise BadRequest(f"No voice here speaks {wanted.language[:40]!r}.", "language", wanted.language)


def _whole(text: str) -> int:
    """Return where the last complete sentence ends, 0 if there is none.

    A sentence is complete once text follows it. SSML is complete only at its end, so it gives 0.
    """
    if not text.strip() or is_ssml(text):
        return 0
    ends = [each.end for each in boundaries(text) if each.strength >= Strength.SENTENCE and each.end < len(text)]
    return max(ends, default=0)


def _milliseconds(samples: int) -> int:
    return 1000 * samples // SAMPLE_RATE
