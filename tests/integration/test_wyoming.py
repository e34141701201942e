"""The Wyoming server, asked over TCP by the package's own client."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from benchmarks.waiting import until
from kokoro_server.config import Config
from kokoro_server.core.errors import Busy, SynthesisFailed
from kokoro_server.setup import StartupError
from kokoro_server.setup.limits import make_request_limits
from kokoro_server.setup.wyoming import start_wyoming_server
from kokoro_server.wyoming.mdns import SERVICE_TYPE, get_reachable_addresses, make_service_info
from kokoro_server.wyoming.server import WyomingServer
from tests.fakes.engine import FakeEngine

Talk = Callable[[AsyncTcpClient], Awaitable[None]]
SECONDS = 0.1
SAMPLES = 2400
"""What the fake engine speaks for each utterance."""


@contextmanager
def serving(engine: FakeEngine, **settings: object) -> Iterator[WyomingServer]:
    server = WyomingServer(engine, make_request_limits(Config(**settings)), "127.0.0.1:0", 8)
    server.start()
    try:
        yield server
    finally:
        server.close()


def talk(server: WyomingServer, conversation: Talk) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), AsyncTcpClient("127.0.0.1", server.port) as client:
            await conversation(client)

    asyncio.run(run())


async def events(client: AsyncTcpClient, last: Callable[[str], bool]) -> AsyncIterator[Event]:
    """What the server says, up to the event of the `last` kind or an error."""
    while True:
        event = await client.read_event()
        assert event is not None, "the server hung up"
        yield event
        if last(event.type) or Error.is_type(event.type):
            return


async def heard(client: AsyncTcpClient, last: Callable[[str], bool] = AudioStop.is_type) -> np.ndarray:
    """The samples up to the end, which come between one start and one stop, in the order of their times."""
    kinds, sound, times = [], b"", []
    async for event in events(client, last):
        if AudioChunk.is_type(event.type):
            chunk = AudioChunk.from_event(event)
            assert (chunk.rate, chunk.width, chunk.channels) == (24_000, 2, 1)
            times.append(chunk.timestamp)
            sound += chunk.audio
        else:
            kinds.append(event.type)
    assert kinds[:2] == ["audio-start", "audio-stop"] and times == sorted(times)  # type: ignore[type-var]
    return np.frombuffer(sound, "<i2")


def test_it_tells_what_it_speaks() -> None:
    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(Describe().event())
        answer = await client.read_event()
        assert answer is not None
        (program,) = Info.from_event(answer).tts
        assert program.supports_synthesize_streaming and program.installed
        assert [voice.name for voice in program.voices] == ["bf_emma", "af_heart", "ff_siwis"]
        assert [voice.languages for voice in program.voices] == [["en-GB"], ["en-US"], ["fr-FR"]]
        assert program.voices[0].description == "Emma (British English, female)"

    with serving(FakeEngine(), ALLOWED_VOICES=("af_heart", "bf_emma", "ff_siwis"), DEFAULT_VOICE="bf_emma") as server:
        talk(server, ask)


def test_it_answers_a_ping() -> None:
    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(Ping("here").event())
        answer = await client.read_event()
        assert answer is not None and Pong.from_event(answer).text == "here"

    with serving(FakeEngine()) as server:
        talk(server, ask)


VOICES = [
    (None, "af_heart"),
    (SynthesizeVoice("bm_george"), "bm_george"),
    (SynthesizeVoice("af_bella(1)+af_sky(1)"), "af_bella(0.5)+af_sky(0.5)"),
    (SynthesizeVoice(language="fr_FR"), "ff_siwis"),
    (SynthesizeVoice(language="en"), "af_heart"),
    (SynthesizeVoice(language="en-GB"), "bf_alice"),
]


@pytest.mark.parametrize(("voice", "spoken_by"), VOICES)
def test_it_speaks(voice: SynthesizeVoice | None, spoken_by: str) -> None:
    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(Synthesize("Hello there.", voice).event())
        samples = await heard(client)
        assert len(samples) == SAMPLES and np.abs(samples).max() > 10_000

    engine = FakeEngine(SECONDS)
    with serving(engine) as server:
        talk(server, ask)
    assert [(request.text, request.voice.name) for request in engine.requests] == [("Hello there.", spoken_by)]


def test_two_requests_on_one_connection() -> None:
    async def ask(client: AsyncTcpClient) -> None:
        for text in ("One.", "Two."):
            await client.write_event(Synthesize(text).event())
            assert len(await heard(client)) == SAMPLES

    with serving(FakeEngine(SECONDS)) as server:
        talk(server, ask)


def test_sound_comes_while_the_text_still_does() -> None:
    engine = FakeEngine(SECONDS)

    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice("bf_emma")).event())
        for piece in ("This is ", "the first. And th", "e second is "):
            await client.write_event(SynthesizeChunk(piece).event())
        answer = await client.read_event()
        assert answer is not None and AudioStart.is_type(answer.type)
        await client.write_event(SynthesizeChunk("still open").event())
        await client.write_event(Synthesize("This is the first. And the second is still open").event())
        await client.write_event(SynthesizeStop().event())
        kinds = [event.type async for event in events(client, SynthesizeStopped.is_type)]
        assert kinds == ["audio-chunk", "audio-chunk", "audio-stop", "synthesize-stopped"]

    with serving(engine) as server:
        talk(server, ask)
    assert [request.text for request in engine.requests] == ["This is the first. ", "And the second is still open"]
    assert [request.voice.name for request in engine.requests] == ["bf_emma", "bf_emma"]
    assert engine.requests[0].final_pause > engine.requests[1].final_pause


def test_marked_text_in_pieces_is_spoken_when_it_is_whole() -> None:
    engine = FakeEngine(SECONDS)

    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(SynthesizeStart().event())
        for piece in ("<speak>One. Two. ", "Three.</speak>"):
            await client.write_event(SynthesizeChunk(piece).event())
        await client.write_event(SynthesizeStop().event())
        assert len(await heard(client, SynthesizeStopped.is_type))

    with serving(engine) as server:
        talk(server, ask)
    assert len(engine.requests) == 1


def test_nothing_to_say_in_pieces_ends_all_the_same() -> None:
    async def ask(client: AsyncTcpClient) -> None:
        for event in (SynthesizeStart(), SynthesizeChunk(" "), SynthesizeStop()):
            await client.write_event(event.event())
        assert [event.type async for event in events(client, SynthesizeStopped.is_type)] == ["synthesize-stopped"]

    with serving(FakeEngine()) as server:
        talk(server, ask)


REFUSED = [
    (Synthesize(" "), FakeEngine(), "text is empty", "invalid_value"),
    (Synthesize("Hi.", SynthesizeVoice("af_hart")), FakeEngine(), "Did you mean af_heart", "invalid_value"),
    (Synthesize("Hi.", SynthesizeVoice(language="de")), FakeEngine(), "language 'de'", "invalid_value"),
    (Synthesize("x" * 10_001), FakeEngine(), "10001 characters", "invalid_value"),
    (Synthesize("Hi."), FakeEngine(slots=0), "All are speaking", Busy.code),
    (Synthesize("Hi."), FakeEngine(fail_at=0, error=SynthesisFailed("It broke.")), "It broke.", SynthesisFailed.code),
]


@pytest.mark.parametrize(("asked", "engine", "words", "code"), REFUSED)
def test_it_says_why_not_and_goes_on(asked: Synthesize, engine: FakeEngine, words: str, code: str) -> None:
    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(asked.event())
        answer = await client.read_event()
        assert answer is not None and Error.is_type(answer.type)
        error = Error.from_event(answer)
        assert words in error.text and error.code == code
        await client.write_event(Ping().event())
        answer = await client.read_event()
        assert answer is not None and Pong.is_type(answer.type)

    with serving(engine) as server:
        talk(server, ask)


@pytest.mark.parametrize(
    "line", [b"[]\n", b"[" * 60_000 + b"\n", b"{}\n", b'{"type": "synthesize"}\n', b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_event_ends_that_conversation_alone(line: bytes) -> None:
    with serving(FakeEngine(SECONDS)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(line)
            assert client.recv(100) == b""

        async def ask(client: AsyncTcpClient) -> None:
            await client.write_event(Synthesize("Hi.").event())
            assert len(await heard(client)) == SAMPLES

        talk(server, ask)


async def hung_up(reader: asyncio.StreamReader) -> bool:
    return await reader.read() == b""


@pytest.mark.parametrize(
    "header", ['{"type": "ping", "data_length": 1000000000}', '{"type": "x", "payload_length": 9999999}']
)
def test_what_would_fill_the_memory_is_not_read(header: str) -> None:
    async def send(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(header.encode() + b"\n" + b"x" * 70_000)
        async with asyncio.timeout(10):
            assert await hung_up(reader)
        writer.close()

    with serving(FakeEngine()) as server:
        asyncio.run(send(server.port))


def test_text_in_pieces_has_the_same_limit() -> None:
    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(SynthesizeStart().event())
        for _ in range(3):
            await client.write_event(SynthesizeChunk("<speak>" + "a" * 50).event())
        found = [event async for event in events(client, SynthesizeStopped.is_type)]
        assert "expected at most 100" in Error.from_event(found[-1]).text

    with serving(FakeEngine(), MAX_TEXT_LENGTH=100) as server:
        talk(server, ask)


def test_text_without_an_end_is_spoken_before_it_has_one() -> None:
    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(SynthesizeStart().event())
        for _ in range(30):
            await client.write_event(SynthesizeChunk("word " * 20).event())
        start = await client.read_event()
        assert start is not None and AudioStart.is_type(start.type)

    with serving(FakeEngine(SECONDS)) as server:
        talk(server, ask)


async def is_answered(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b'{"type": "ping"}\n')
        return await reader.readline() != b""
    except ConnectionError:
        return False
    finally:
        writer.close()


def test_no_more_talk_than_there_is_room_for() -> None:
    async def crowd(port: int) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        async with asyncio.timeout(10):
            assert not await is_answered(port)
            held[0][1].close()
            while not await is_answered(port):  # the server has not seen yet that the first one left
                await asyncio.sleep(0.02)
        for _, writer in held[1:]:
            writer.close()

    with serving(FakeEngine()) as server:
        asyncio.run(crowd(server.port))


def test_who_leaves_is_spoken_to_no_longer() -> None:
    engine = FakeEngine(1.0, gated=True)

    async def ask(client: AsyncTcpClient) -> None:
        await client.write_event(Synthesize("A sentence of some length. " * 40).event())
        assert await client.read_event()

    with serving(engine) as server:
        talk(server, ask)
        until(lambda: engine.open_count == 0)
    assert engine.chunk_count == 1


def test_who_resets_the_connection_is_spoken_to_no_longer() -> None:
    engine = FakeEngine(1.0, gated=True)
    with serving(engine) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0))
            client.sendall(
                b'{"type": "synthesize", "data": {"text": "' + b"A sentence of some length. " * 40 + b'"}}\n'
            )
            assert client.recv(100)
        until(lambda: engine.open_count == 0)
    assert engine.chunk_count == 1


def test_the_end_of_the_server_ends_what_it_says() -> None:
    engine = FakeEngine(1.0, gated=True)
    with serving(engine) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b'{"type": "synthesize", "data": {"text": "' + b"A sentence of some length. " * 40 + b'"}}\n')
        assert client.recv(100)
        server.close()
        until(lambda: engine.open_count == 0)


def test_a_taken_address_is_a_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartupError, match=f"Cannot listen on {address}: .*Set KOKORO_WYOMING"):
            start_wyoming_server(Config(WYOMING=address), FakeEngine())


def test_it_serves_only_where_it_is_wanted() -> None:
    with start_wyoming_server(Config(), FakeEngine()) as nothing:
        assert nothing is not None
    engine = FakeEngine(SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        start_wyoming_server(Config(WYOMING=f"127.0.0.1:{port}"), engine),
        socket.create_connection(("127.0.0.1", port), 5) as one,
    ):
        one.sendall(b'{"type": "describe"}\n')
        assert b"info" in one.recv(1000)


def test_what_others_can_reach_is_announced() -> None:
    assert (
        get_reachable_addresses("127.0.0.1")
        == get_reachable_addresses("::1")
        == get_reachable_addresses("localhost")
        == []
    )
    assert get_reachable_addresses("192.0.2.7") == ["192.0.2.7"]
    mine = {each.address for interface in psutil.net_if_addrs().values() for each in interface}
    assert set(get_reachable_addresses("0.0.0.0")) <= mine - {"127.0.0.1"}


def test_a_network_finds_it() -> None:
    """Over multicast DNS, as Home Assistant looks."""

    async def look() -> AsyncServiceInfo | None:
        ours, theirs = (AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only) for _ in range(2))
        try:
            entry = make_service_info(["127.0.0.1"], 10_200)
            await ours.async_register_service(entry, allow_name_change=True)
            return await theirs.async_get_service_info(SERVICE_TYPE, entry.name, timeout=5000)
        finally:
            await asyncio.gather(ours.async_close(), theirs.async_close())

    found = asyncio.run(look())
    assert found is not None and found.port == 10_200 and found.parsed_addresses() == ["127.0.0.1"]
    assert found.name.startswith("Kokoro on ")
