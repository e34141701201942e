"""What the operator sees: figures, readiness, logs and traces."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from benchmarks.cluster_machine import BUILD_ID
from benchmarks.waiting import until
from kokoro_server.api.state import get_state
from kokoro_server.api.tracing import TracingUnavailable
from kokoro_server.app import serve
from kokoro_server.config import Config
from kokoro_server.core.errors import SynthesisFailed
from kokoro_server.core.logs import JsonFormatter, TextFormatter, log_fields
from kokoro_server.engine.cluster.engine import ClusterEngine
from kokoro_server.engine.cluster.messages import ClusterSettings
from kokoro_server.engine.pool import Pool
from kokoro_server.setup import StartupError
from kokoro_server.text.chunking import UtteranceSizes
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.raw import asked, exchange
from tests.fakes.requests import LONG
from tests.fakes.worker import FakeWorker
from tests.paths import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "kokoro-tts-api.json"
SEVERAL = "One sentence here. " * 20


def figures(text: str) -> dict[str, float]:
    """Every sample's value by its name and the values of its labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {"|".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def say(client: FlaskClient, path: str, text: str, **options: Any) -> TestResponse:
    """An answer that has been read to its end."""
    with client.post(path, json={"text": text}, **options) as answer:
        answer.get_data()
    return answer  # type: ignore[return-value]


# --- Figures ---------------------------------------------------------------------------------------------------------


def test_requests_and_sound_are_counted(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(), CACHE_MB=10).test_client()
    for text in (SEVERAL, SEVERAL, "Another."):
        say(client, "/synthesize/stream", text)
    say(client, "/synthesize/stream", "")
    client.get("/no/such/path")
    found = figures(client.get("/metrics").text)
    assert found["kokoro_requests_total|200|/synthesize/stream"] == 3
    assert found["kokoro_requests_total|400|/synthesize/stream"] == 1
    assert found["kokoro_requests_total|404|none"] == 1
    assert (found["kokoro_cache_total|hit"], found["kokoro_cache_total|miss"]) == (1, 2)
    assert found["kokoro_speeches_total|whole"] == found["kokoro_first_audio_seconds_count"] == 2
    assert found["kokoro_real_time_factor_count"] == 2 and 0 < found["kokoro_real_time_factor_sum"] < 2
    assert found["kokoro_characters_total"] == len(SEVERAL) + len("Another.")
    assert found["kokoro_audio_seconds_total"] > 0.1
    assert found["process_open_fds"] > 0


def test_what_is_refused_unread_is_counted_and_logged_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = make_app(tmp_path, FakeEngine())
    with live(app) as address:
        answer = exchange(address, b"POST /synthesize HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
    assert answer.status == 413
    assert figures(app.test_client().get("/metrics").text)["kokoro_requests_total|413|none"] == 1
    (told,) = [entry.__dict__["fields"] for entry in caplog.records if "refused unread" in entry.message]
    assert told == {"request_id": answer.headers["x-request-id"], "route": "none", "status": 413}


def test_the_real_time_factor_counts_the_waiting_for_sound_and_not_for_its_reader(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(1.0)).test_client()
    with client.post("/synthesize/stream", json={"text": SEVERAL}) as answer:
        for _ in answer.iter_encoded():
            time.sleep(0.02)
    found = figures(client.get("/metrics").text)
    assert found["kokoro_speech_seconds_sum"] > 0.02 * 4
    assert found["kokoro_real_time_factor_count"] == 1
    assert found["kokoro_real_time_factor_sum"] * found["kokoro_audio_seconds_total"] < 0.05


def test_sound_that_ends_early_is_told_from_whole_one(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(fail_at=1, error=SynthesisFailed("broke"))).test_client()
    with pytest.raises(SynthesisFailed):
        say(client, "/synthesize/stream", SEVERAL)
    left = client.post("/synthesize/stream", json={"text": SEVERAL})
    left.close()
    found = figures(client.get("/metrics").text)
    assert (found["kokoro_speeches_total|cut"], found["kokoro_speeches_total|left"]) == (1, 1)


def test_the_pool_tells_its_work_and_its_waits(tmp_path: Path) -> None:
    worker = FakeWorker()
    with closing(Pool("fake", [worker], 2, 10, UtteranceSizes(), idle_interval=0.01)) as pool:
        client = make_app(tmp_path, pool).test_client()  # type: ignore[arg-type]  # any engine would do
        assert figures(client.get("/metrics").text)["kokoro_workers|down"] == 1
        pool.start()
        say(client, "/synthesize", SEVERAL)
        worker.is_alive = False
        until(lambda: worker.starts == 2)
        found = figures(client.get("/metrics").text)
    assert found["kokoro_queue_wait_seconds_count"] == 1 and found["kokoro_queue_length"] == 0
    assert found["kokoro_engine_utterances_total"] == len(worker.texts)
    assert found["kokoro_engine_sound_seconds_total"] == pytest.approx(len(SEVERAL) / 1000, rel=0.05)
    assert 0 < found["kokoro_engine_work_seconds_total"] < 10
    assert found["kokoro_engine_restarts_total"] == 1
    assert (found["kokoro_workers|idle"], found["kokoro_workers|down"]) == (1, 0)


def test_the_dashboard_asks_for_figures_that_there_are(tmp_path: Path) -> None:
    cluster = ClusterEngine(
        ClusterSettings("redis://127.0.0.1:1/0", "redis://127.0.0.1:1/0", 60, 60, BUILD_ID), 1, 1, 1
    )
    with closing(Pool("fake", [FakeWorker()], 1, 1, UtteranceSizes(), idle_interval=0.01)) as pool, closing(cluster):
        pool.start()
        known = set()
        for engine in (pool, cluster):
            client = make_app(tmp_path, engine, CACHE_MB=10).test_client()  # type: ignore[arg-type]
            if engine is pool:
                say(client, "/synthesize", SEVERAL)
            known |= {name.partition("|")[0] for name in figures(client.get("/metrics").text)}
    wanted = set(re.findall(r"(?:kokoro|process)_\w+", DASHBOARD.read_text("utf-8")))
    assert len(wanted) > 15
    assert wanted <= known
    ids = [panel["id"] for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]]
    assert len(ids) == len(set(ids))


# --- Health ----------------------------------------------------------------------------------------------------------


def test_alive_is_not_yet_ready(tmp_path: Path) -> None:
    worker = FakeWorker()
    with closing(Pool("fake", [worker], 1, 1, UtteranceSizes())) as pool:
        client = make_app(tmp_path, pool, API_KEY=("a-key",)).test_client()  # type: ignore[arg-type]
        assert client.get("/health/live").json == {"status": "alive"}
        refused = client.get("/health/ready")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        pool.start()
        assert client.get("/health/ready").json == {"status": "ready", "ready": 1}
        assert client.get("/metrics").status_code == 401


# --- The log ---------------------------------------------------------------------------------------------------------


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("tts.x", logging.INFO, "x.py", 1, message, (), None)
    made.__dict__.update(log_fields(**fields))
    return made


def test_a_json_line_holds_what_was_told() -> None:
    line = JsonFormatter("worker 7").format(record("it\nspoke", request_id="r1", ms=3))
    assert "\n" not in line
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", told.pop("time"))
    expected = {"level": "INFO", "process": "worker 7", "logger": "tts.x", "message": "it\nspoke"}
    assert told == expected | {"request_id": "r1", "ms": 3}


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b", "\x85", "\u2028"])
def test_nobody_writes_lines_of_their_own(sign: str) -> None:
    line = TextFormatter().format(record(f"GET /x{sign}2026-01-01 INFO all is well"))
    assert sign not in line and "all is well" in line


def test_an_error_keeps_its_traceback() -> None:
    try:
        raise ValueError("broke")
    except ValueError:
        broken = record("x failed")
        broken.exc_info = sys.exc_info()
    assert "ValueError: broke" in json.loads(JsonFormatter().format(broken))["exception"]
    assert TextFormatter().format(broken).count("\n") >= 3


def test_a_request_is_followed_through_the_log_and_to_the_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    worker = FakeWorker(errors=[None, None, SynthesisFailed("broke")])
    with closing(Pool("fake", [worker], 1, 10, UtteranceSizes(), idle_interval=0.01)) as pool:
        pool.start()
        with live(make_app(tmp_path, pool)) as address:  # type: ignore[arg-type]
            answer = exchange(address, asked("/synthesize/stream", {"text": LONG}, "1.1", "Connection: close"))
    request_id = answer.headers["x-request-id"]
    assert {spoken.request_id for spoken in worker.utterances} == {request_id}
    told = [entry.__dict__["fields"] for entry in caplog.records if "fields" in entry.__dict__]
    assert {fields["request_id"] for fields in told} == {request_id}
    (end,) = [fields for fields in told if "first_audio_ms" in fields]
    assert end["outcome"] == "cut" and end["audio_seconds"] > 0.1
    assert 0 <= end["first_audio_ms"] <= end["total_ms"]
    assert [fields["worker"] for fields in told if "worker" in fields] == ["worker-0"]


# --- Traces ----------------------------------------------------------------------------------------------------------


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector's address, and the bodies that it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Be quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", bodies
        finally:
            server.shutdown()
            thread.join()


def test_a_request_is_traced_to_its_end(tmp_path: Path) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with collector() as (address, bodies):
        app = make_app(tmp_path, FakeEngine(), TRACES=address)
        parent = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        answer = say(app.test_client(), "/synthesize/stream", SEVERAL, headers=parent)
        traces = get_state(app).traces
        assert traces is not None
        traces.shutdown()
    (span,) = ExportTraceServiceRequest.FromString(bodies[0]).resource_spans[0].scope_spans[0].spans
    assert span.name == "POST /synthesize/stream"
    assert span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    told = {attribute.key: attribute.value for attribute in span.attributes}
    assert told["http.response.status_code"].int_value == 200
    assert told["kokoro.request_id"].string_value == answer.headers["X-Request-Id"]
    assert told["kokoro.outcome"].string_value == "whole" and told["kokoro.audio_seconds"].double_value > 0.1


def test_traces_without_their_packages_are_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingUnavailable, match="pip install opentelemetry-sdk"):
        make_app(tmp_path, FakeEngine(), TRACES="http://127.0.0.1:1/v1/traces")
    config = Config(HOST="127.0.0.1", PORT=0, TEMP_DIR=tmp_path, MODEL_DIR=tmp_path, TRACES="http://127.0.0.1:1/")
    with pytest.raises(StartupError, match="KOKORO_TRACES needs packages"):
        serve(config, FakeEngine())
