"""Bad people: keys and logs, hosts and origins, rates, paths, headers, depth, and expressions that blow up."""

from __future__ import annotations

import ast
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from kokoro_server.api import auth as access
from kokoro_server.core import logs
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.raw import exchange
from tests.fuzz import blowups, targets
from tests.integration.test_serving import FAKE_KOKORO, process
from tests.paths import ROOT

pytestmark = pytest.mark.serial

KEY = "a-key-that-nobody-may-see"
SECRET_TEXT = "what was said is private"
BEARER = {"Authorization": f"Bearer {KEY}"}

# --- Keys and logs ---------------------------------------------------------------------------------------------------


def test_no_route_tells_the_key(tmp_path: Path) -> None:
    app = make_app(tmp_path, FakeEngine(), API_KEY=(KEY,))
    client = app.test_client()
    asked = 0
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "x", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS"}:
            for headers in ({}, BEARER, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": KEY}):
                with client.open(path, method=method, headers=headers, json={"text": "Hi.", "input": "Hi."}) as answer:
                    asked += 1
                    assert KEY not in answer.get_data(as_text=False).decode("latin-1")
                    assert KEY not in str(answer.headers)
    assert asked > 60


def test_neither_keys_nor_what_was_said_reach_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    logs.configure_logging("DEBUG", "json")
    logging.getLogger("httpx").setLevel("WARNING")
    logging.getLogger("httpcore").setLevel("WARNING")
    try:
        with live(make_app(tmp_path, FakeEngine(), API_KEY=(KEY,), RATE_LIMIT="4/hour")) as address:
            for header in (f"Bearer {KEY}", f"Bearer {KEY}x", KEY, f"Basic {KEY}"):
                for text in (SECRET_TEXT, SECRET_TEXT * 1000, 5):
                    body = {"text": text, "voice": "af_heart"}
                    httpx.post(f"{address}/synthesize", json=body, headers={"Authorization": header})
            exchange(address, f"POST /synthesize HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\nBroken\r\n\r\n".encode())
    finally:
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel("WARNING")
        logging.getLogger("httpx").setLevel("NOTSET")
        logging.getLogger("httpcore").setLevel("NOTSET")
    log = capfd.readouterr().err
    assert log.count('"route": "/synthesize"') == 12
    assert KEY not in log and SECRET_TEXT not in log


TELLING_COMMAND = """
import os, runpy
with open({file!r}, "a") as told:
    told.write(" ".join(os.environ))
runpy.run_path({command!r}, run_name="__main__")
"""


def test_no_child_inherits_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    script = tmp_path / "telling.py"
    script.write_text(TELLING_COMMAND.format(file=str(told), command=FAKE_KOKORO), "utf-8")
    monkeypatch.setenv("KOKORO_API_KEY", KEY)
    monkeypatch.setenv("KOKORO_BROKER", f"redis://:{KEY}@broker")
    command = subprocess.list2cmdline([sys.executable, str(script)])
    with process(tmp_path, "--kokoro-command", command) as (_, address):
        assert httpx.post(f"{address}/synthesize", json={"text": "Hi."}, headers=BEARER).status_code == 200
        assert httpx.post(f"{address}/synthesize", json={"text": "Hi."}).status_code == 401
    names = told.read_text("utf-8").split()
    assert "PATH" in names and not {"KOKORO_API_KEY", "KOKORO_BROKER"} & set(names)


# --- Hosts, origins and rates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [("voice.example", 200), ("voice.example:9880", 200), ("a.b.example", 200), ("evil.example", 400), ("", 400)],
)
def test_only_the_names_that_are_allowed_lead_here(tmp_path: Path, host: str, status: int) -> None:
    app = make_app(tmp_path, FakeEngine(), ALLOWED_HOSTS=("voice.example", ".b.example"))
    for path in ("/health", "/voices", "/v1/models", "/"):
        answer = app.test_client().get(path, headers={"Host": host})
        assert answer.status_code == status
        told = str(answer.get_json())
        assert status == 200 or all(part in told for part in ("Host", host, "KOKORO_ALLOWED_HOSTS"))


def test_without_a_list_any_name_leads_here(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine()).test_client()
    assert client.get("/health", headers={"Host": "any.example"}).status_code == 200


FORM = {"data": {"text": "A book."}, "content_type": "multipart/form-data"}


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        (("*",), "https://evil.example", 202),
        (("https://good.example",), "https://good.example", 202),
        (("https://good.example",), "https://evil.example", 403),
        (("https://good.example",), "null", 403),
        ((), "https://evil.example", 403),
        ((), "http://localhost", 202),
        ((), None, 202),
    ],
)
def test_forms_of_foreign_pages_are_refused(
    tmp_path: Path, origins: tuple[str, ...], origin: str | None, status: int
) -> None:
    client = make_app(tmp_path, FakeEngine(), CORS_ORIGINS=origins).test_client()
    headers = {} if origin is None else {"Origin": origin}
    answer = client.post("/jobs", json={"text": "A book."}, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.get_json()["error"] == "Forbidden"
        assert client.get("/voices", headers=headers).status_code == 200


def test_a_rate_is_kept_for_each_key(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(), API_KEY=("one", "two"), RATE_LIMIT="2/hour").test_client()

    def status(key: str, path: str = "/v1/models") -> int:
        return client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code

    assert [status("one") for _ in range(3)] == [200, 200, 429]
    assert [status("two") for _ in range(3)] == [200, 200, 429]
    assert [status("wrong") for _ in range(3)] == [401, 401, 401]
    assert [status("one", path) for path in sorted(access.PUBLIC_PATHS - {"/favicon.ico"})] == [200] * (
        len(access.PUBLIC_PATHS) - 1
    )
    refused = client.get("/v1/models", headers={"Authorization": "Bearer one"})
    assert 3500 < int(refused.headers["Retry-After"]) <= 3601
    assert refused.get_json()["error"]["code"] == "rate_limit_exceeded"


def test_a_rate_is_kept_for_each_address(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(), RATE_LIMIT="1/hour").test_client()

    def status(address: str) -> int:
        return client.get("/voices", environ_overrides={"REMOTE_ADDR": address}).status_code

    assert [status("10.0.0.1"), status("10.0.0.1"), status("10.0.0.2")] == [200, 429, 200]


# --- Paths, headers and depth ----------------------------------------------------------------------------------------

TRICKS = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc/passwd",
    "/etc/passwd",
    "..\\..\\windows\\win.ini",
    "C:\\windows\\win.ini",
    "file:///etc/passwd",
    "af_heart%00.bin",
    "af_heart/../af_sky",
    "tts_output_link_" + "0" * 32 + ".wav/../../kokoro_tts_api.py",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_name_leads_out_of_its_folder(tmp_path: Path, trick: str) -> None:
    client = make_app(tmp_path, FakeEngine()).test_client()
    for pattern in ("/v1/download/{}", "/static/{}", "/jobs/{}", "/jobs/{}/audio", "/{}"):
        answer = client.get(pattern.format(trick))
        assert answer.status_code in (308, 404) and b"root:" not in answer.data
    for field in ("voice", "format", "language"):
        answer = client.post("/synthesize", json={"text": "Hi.", field: trick})
        assert answer.status_code == 400
    assert client.post("/v1/audio/voices/combine", json=trick).status_code == 400


@pytest.mark.parametrize("sign", ["\r\n", "\n", "\r", "\x00", "\x85", "\u2028"])
def test_nothing_that_is_sent_makes_a_header(tmp_path: Path, sign: str) -> None:
    trick = f"x{sign}X-Evil: 1"
    client = make_app(tmp_path, FakeEngine()).test_client()
    sent = [
        client.post("/v1/audio/voices/combine", json=f"af_heart{sign}X-Evil: 1"),
        client.post("/synthesize", json={"text": trick, "voice": trick}),
        client.post("/v1/audio/speech", json={"input": "Hi.", "response_format": trick, "model": trick}),
        client.get("/v1/download/x%0d%0aX-Evil:%201"),
        client.get("/voices%0d%0aX-Evil:%201"),
    ]
    job = client.post("/jobs", json={"text": "A book.", "title": trick, "author": trick})
    sent += [job, client.get(f"{job.headers.get('Location', '/jobs/x')}/audio?partial=true&download=true")]
    for answer in sent:
        assert "X-Evil" not in answer.headers
        assert not any(sign in value for value in answer.headers.values())


def test_a_request_in_a_request_is_not_taken_for_one(tmp_path: Path) -> None:
    """Two lengths, or a length and chunks: what a proxy reads one way and a server the other."""
    with live(make_app(tmp_path, FakeEngine())) as address:
        smuggled = b"GET /voices HTTP/1.1\r\nHost: x\r\n\r\n"
        for lengths in (
            b"Content-Length: 0\r\nContent-Length: 33\r\n",
            b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: xchunked\r\n",
            b"Content-Length: +1\r\n",
        ):
            answer = exchange(address, b"POST /health HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n" + smuggled)
            assert answer.status in (400, 405, 501), lengths
            assert b"af_heart" not in answer.body


@pytest.mark.parametrize("opening", ["[", '{"text":', '[{"a":', '{"text": ['])
def test_json_of_any_depth_is_refused_quickly(tmp_path: Path, opening: str) -> None:
    client = make_app(tmp_path, FakeEngine()).test_client()
    for path in ("/synthesize", "/v1/audio/speech", "/v1/audio/voices/combine", "/jobs"):
        began = time.thread_time()
        answer = client.post(path, data=opening * 20_000, content_type="application/json")
        assert answer.status_code in (400, 413)
        assert time.thread_time() - began < 1


# --- Expressions that blow up ----------------------------------------------------------------------------------------

ATTACKS = 24
"""Of each expression; `python -m tests.fuzz --expressions` makes all that it can think of."""


@pytest.mark.parametrize("module", blowups.modules())
def test_no_expression_blows_up(module: str) -> None:
    for expression in blowups.expressions(module):
        assert not list(blowups.faults(expression, ATTACKS))


def test_every_kind_of_expression_is_found() -> None:
    found = {
        name: {each.name for each in blowups.expressions(name)}
        for name in ("kokoro_server.text.ssml", "kokoro_server.text.inline_tags")
    }
    assert "kokoro_server.text.inline_tags.INLINE_TAG" in found["kokoro_server.text.inline_tags"]
    assert any(name.startswith("kokoro_server.text.ssml:") for name in found["kokoro_server.text.ssml"])
    tables = {each.name for each in blowups.expressions("kokoro_server.text.normalization.english.identifiers")}
    assert "kokoro_server.text.normalization.english.identifiers.LETTER_RULES[0][0]" in tables
    assert sum(len(blowups.expressions(name)) for name in blowups.modules()) > 250


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        (r"(a+)+b", blowups.LONG),  # twice as long with each character
        (r"\d+x", blowups.LONG),  # quadratic, since it is looked for at every place
        (r"\s*(\d{1,6})\s*(ms)?\s*", blowups.LONG),  # two that may share the same blanks
        (r"(?:[A-Za-z]{1,12}\d{0,12}){0,8}!", blowups.UTTERANCE),  # bounded, but in very many ways
    ],
)
def test_an_expression_that_blows_up_is_caught(pattern: str, length: int) -> None:
    name = "kokoro_server.core.x" if length == blowups.LONG else f"{blowups.READING}x"
    assert next(blowups.faults(blowups.Expression(name, re.compile(pattern), frozenset({"search"})), ATTACKS), None)


READERS = [targets.markup, targets.ssml, targets.cutting, targets.voice_blend, targets.book_text, targets.readings]


@pytest.mark.parametrize("reader", READERS, ids=lambda each: each.__name__)
def test_no_reader_blows_up(reader: Callable[[str], object]) -> None:
    """The whole of what an expression is a part of, on what each expression of it would find hardest."""
    makers = [
        maker
        for module in (
            "kokoro_server.text.inline_tags",
            "kokoro_server.text.segmentation",
            "kokoro_server.text.normalization.english.identifiers",
            "kokoro_server.audiobooks.formats.plain_text",
        )
        for expression in blowups.expressions(module)
        for maker in blowups.attacks(expression.pattern, 2)
    ]
    for maker in makers:
        text = maker(blowups.LONG)
        for whole in (text, f"<speak>{text}</speak>") if reader is targets.ssml else (text,):
            assert blowups.cpu(partial(reader, whole)) < 2, whole[:40]


# --- The code itself -------------------------------------------------------------------------------------------------

NOT_LOOKED_FOR = "B101,B404,B603"
"""asserts of what can't happen, and that programs are started, none of them by a shell (which B602 would find)."""
EXPLAINED = {
    (
        "B104",
        "kokoro_server/config.py",
    ): "HOST is all interfaces: a server that only its own machine reaches would puzzle most",
    ("B105", "kokoro_server/text/segmentation.py"): "a word, no password",
    ("B310", "kokoro_server/model/assets.py"): "HUB is the operator's own setting",
    ("B403", "kokoro_server/api/voice_file.py"): "names pickle's opcodes, and reads none",
    ("B406", "kokoro_server/text/ssml.py"): "types only: the parser is defusedxml's, and refuses every DTD",
    ("B608", "kokoro_server/audiobooks/job_store.py"): "only constants stand in its queries, see below",
}


def test_bandit_finds_nothing_that_is_not_explained() -> None:
    what = ["kokoro_server", "config.py", "kokoro_tts_api.py", "run.py"]
    done = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-f", "json", "-s", NOT_LOOKED_FOR, "-r", *what],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    results = json.loads(done.stdout)["results"]
    found = {(each["test_id"], Path(each["filename"]).as_posix().removeprefix("./")): each for each in results}
    assert not {key: found[key]["issue_text"] for key in found.keys() - EXPLAINED.keys()}
    assert found.keys() == EXPLAINED.keys()


def test_queries_hold_constants_alone() -> None:
    tree = ast.parse((ROOT / "kokoro_server/audiobooks/job_store.py").read_text("utf-8"))
    queries = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) and re.search(r"SELECT|INSERT|UPDATE|DELETE", ast.unparse(node))
    ]
    names = {
        ast.unparse(part.value) for query in queries for part in query.values if isinstance(part, ast.FormattedValue)
    }
    assert names and all(re.fullmatch(r"_[A-Z_]+", name) for name in names)
