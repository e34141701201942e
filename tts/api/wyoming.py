"""The Wyoming server: how Home Assistant asks, in the events of the `wyoming` package over TCP."""

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
"""Bytes of one part of an event: the longest text takes a fraction of it, and what is longer would fill the memory."""
UNFINISHED = 2_000
"""Characters that have come in pieces without the end of a sentence, beyond which they are spoken all the same: each
piece has all of them looked at once more."""
BLOCK = SAMPLE_RATE // 10
"""Samples in one event: small players hold little more than a few of them."""


class Bounded(asyncio.StreamReader):
    """Reads no part of an event that is longer than any of ours."""

    async def readexactly(self, n: int) -> bytes:
        if n > MOST_BYTES:
            raise ValueError(f"{n} bytes are no part of an event")  # which ends the conversation
        return await super().readexactly(n)


@dataclass(frozen=True)
class Spoken:
    """What every conversation speaks with; `closing` is true once the server ends."""

    engine: Engine
    limits: Limits
    threads: Executor
    closing: Callable[[], bool]


class Wyoming:
    """A Wyoming server on a thread with an event loop of its own."""

    def __init__(self, engine: Engine, limits: Limits, address: str, conversations: int) -> None:
        """Listen on `address`, HOST:PORT; so many `conversations` are spoken to at once. Raises OSError."""
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
        """The port it listens on, the one that was found free when 0 was asked for."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Serve on a thread of its own."""
        log.info("Listening for Wyoming on tcp://%s:%d", self._host, self.port)
        self._thread.start()

    def close(self) -> None:
        """End every conversation and let go of the port; the engine must still be there."""
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
        server.close()  # those who still talk are cancelled with the loop

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(Bounded(), self._converse)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._talking >= self._conversations:
            log.warning("A Wyoming client was turned away: %d are talking", self._talking)
            writer.close()
            return
        self._talking += 1
        try:
            await Conversation(reader, writer, self._spoken).run()
        except (OSError, EOFError):
            pass  # the client left
        except asyncio.CancelledError:
            pass  # the server ends; asyncio itself trips over a cancelled conversation
        except (AttributeError, KeyError, TypeError, RecursionError) as exc:  # what JSON of another shape brings about
            log.warning("A Wyoming client sent something else: %r", exc)
        finally:
            self._talking -= 1


class Conversation(AsyncEventHandler):
    """One client's events, each answered before the next is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spoken: Spoken) -> None:
        super().__init__(reader, writer)
        self._spoken = spoken
        self._voice: SynthesizeVoice | None = None
        self._text: str | None = None
        """What has come in pieces and is not spoken yet; None while no text comes in pieces."""
        self._sent = 0
        """Samples of the present answer."""

    async def handle_event(self, event: Event) -> bool:
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
        elif Synthesize.is_type(event.type) and self._text is None:  # else it repeats what came in pieces
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

    async def _speak_whole(self, asked: Synthesize) -> None:
        self._sent = 0
        await self._speak(self._request(asked.text, asked.voice))
        await self._end()

    async def _speak_sentences(self) -> None:
        """Speak the sentences that are whole; the last one may go on in the next piece."""
        text = self._text or ""
        end = _whole(text)
        if not end and len(text) > UNFINISHED and not is_ssml(text):
            end = len(text)
        if end:
            self._text = text[end:]
            request = self._request(text[:end], self._voice)
            await self._speak(replace(request, rest=RESTS[Strength.SENTENCE]))

    async def _speak_rest(self) -> None:
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
        chunks = self._spoken.engine.synthesize(request, Listener(has_gone=self._has_gone))
        loop = asyncio.get_running_loop()
        try:
            while (chunk := await loop.run_in_executor(self._spoken.threads, next, chunks, None)) is not None:
                await self._send(chunk)
        finally:
            with suppress(ValueError):  # it is being run in its thread, and ends there: its listener has gone
                chunks.close()

    def _has_gone(self) -> bool:
        # Who leaves with sound unread resets the connection, which is an exception and no end of file.
        return self.reader.at_eof() or self.reader.exception() is not None or self._spoken.closing()

    async def _send(self, chunk: Chunk) -> None:
        sound = to_pcm(chunk.samples)
        if not self._sent:
            await self.write_event(AudioStart(SAMPLE_RATE, PCM_BYTES, 1, timestamp=0).event())
        for start in range(0, len(sound), BLOCK):
            block = sound[start : start + BLOCK]
            time = _milliseconds(self._sent)
            await self.write_event(AudioChunk(SAMPLE_RATE, PCM_BYTES, 1, block.tobytes(), timestamp=time).event())
            self._sent += len(block)


def info(limits: Limits) -> Info:
    """What this server says of itself."""
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
    said = f"{name.split('_')[1].title()} ({language.name}, {'female' if name[1] == 'f' else 'male'})"
    return TtsVoice(
        name=name,
        attribution=HEXGRAD,
        installed=True,
        description=said,
        version=None,
        languages=[_tag(language.code)],
    )


def _tag(code: str) -> str:
    """The language as Home Assistant writes it: en-US."""
    language, _, region = code.partition("-")
    return f"{language}-{region.upper()}" if region else language


def _voice_name(asked: SynthesizeVoice | None, limits: Limits) -> str | None:
    """The voice that is asked for by its name or by a language; None is the default. Raises BadRequest."""
    if asked is None or asked.name or not asked.language:
        return asked.name if asked else None
    letter = find_language(asked.language, "language").letter
    for name in (limits.default_voice, *limits.voices):
        if name[0] == letter:
            return name
    raise BadRequest(f"No voice here speaks {asked.language[:40]!r}.", "language", asked.language)


def _whole(text: str) -> int:
    """Where the last sentence ends that is surely whole: something follows it. SSML is whole at its end only."""
    if not text.strip() or is_ssml(text):
        return 0
    ends = [place.end for place in boundaries(text) if place.strength >= Strength.SENTENCE and place.end < len(text)]
    return max(ends, default=0)


def _milliseconds(samples: int) -> int:
    return 1000 * samples // SAMPLE_RATE
