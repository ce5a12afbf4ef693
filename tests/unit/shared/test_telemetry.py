"""Log lines and spans: whole JSON lines with trace ids, and nothing personal in either."""

import gzip
import json
import logging
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import telemetry
from shared.errors import ConflictError

SECRET = "luisg@embraer.com.br"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def line(name: str, message: str, *arguments: object, error: BaseException | None = None) -> dict[str, object]:
    about = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, about)
    text = telemetry.JsonLines("demo").format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_a_line_says_when_who_and_what() -> None:
    found = line("kept.http", "waits for %s", "vault")
    assert found["message"] == "waits for vault"
    assert (found["service"], found["level"]) == ("demo", "error")
    assert str(found["time"]).endswith("Z")


def test_of_libraries_only_the_template_is_printed() -> None:
    assert line("sqlalchemy.pool", "bad row %r", SECRET)["message"] == "bad row %r"
    asyncio_says = f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{SECRET}')>"
    assert SECRET not in json.dumps(line("asyncio", asyncio_says))


def test_of_an_exception_only_type_and_place() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        found = line("kept", "defect", error=error)
    assert found["error"] == "ValueError"
    assert "test_telemetry.py" in str(found["at"]) and SECRET not in json.dumps(found)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(telemetry, "_told", True)
    return exporter


def test_a_trace_goes_on_from_where_it_came(spans: InMemorySpanExporter) -> None:
    with telemetry.span("outer", parent=PARENT):
        carried = telemetry.inject()
        with telemetry.span("inner"):
            inside = line("kept", "x")
    assert carried is not None and carried.split("-")[1] == PARENT.split("-")[1]
    assert inside["trace_id"] == PARENT.split("-")[1]
    inner, outer = spans.get_finished_spans()
    assert inner.parent is not None and outer.context is not None and inner.parent.span_id == outer.context.span_id
    assert outer.parent is not None and f"{outer.parent.span_id:016x}" == PARENT.split("-")[2]


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_trace_goes_on_too_where_nobody_is_told_of_spans(monkeypatch: pytest.MonkeyPatch, flags: str) -> None:
    monkeypatch.setattr(telemetry, "_told", False)
    parent = f"{PARENT[:-2]}{flags}"
    with telemetry.span("outer", parent=parent):
        carried, inside = telemetry.inject(), line("kept", "x")
        with telemetry.span("inner"):
            deeper = telemetry.inject()
    assert carried is not None and deeper is not None and telemetry.inject() is None
    _, trace_id, span_id, sampled = carried.split("-")
    assert (trace_id, sampled, inside["trace_id"]) == (parent.split("-")[1], flags, trace_id)
    assert deeper.split("-")[1] == trace_id and len({parent.split("-")[2], span_id, deeper.split("-")[2]}) == 3
    with telemetry.span("new"):
        assert (telemetry.inject() or "").split("-")[1] != trace_id


@pytest.mark.parametrize("strange", ["", "00-zz-yy-01", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_malformed_parent_begins_a_new_trace(spans: InMemorySpanExporter, strange: str) -> None:
    with telemetry.span("one", parent=strange):
        pass
    assert spans.get_finished_spans()[0].parent is None


def test_errors_are_codes_in_spans(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ConflictError), telemetry.span("one"):
        raise ConflictError(SECRET)
    with pytest.raises(RuntimeError), telemetry.span("two"):
        raise RuntimeError(SECRET)
    one, two = spans.get_finished_spans()
    assert (one.status.description, two.status.description) == ("conflict", "RuntimeError")
    assert not one.events and SECRET not in one.to_json() + two.to_json()
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_process_that_dies_says_why_without_values() -> None:
    program = f"from shared import telemetry; telemetry.setup('demo'); raise ValueError('{SECRET}')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stdout == ""
    lines = [json.loads(one) for one in done.stderr.splitlines()]
    assert [one["error"] for one in lines] == ["ValueError"] and SECRET not in done.stderr


class Collector(BaseHTTPRequestHandler):
    """An OTLP collector, as far as receiving goes."""

    received: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw
        self.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.mark.parametrize("exporting", [True, False])
def test_traces_leave_over_otlp_only_where_an_endpoint_is_set(exporting: bool) -> None:
    program = f"""
from shared import telemetry
telemetry.setup("demo")
with telemetry.span("GET /x", parent="{PARENT}", attributes={{"http.route": "/x"}}):
    pass
"""
    Collector.received.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    env |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    if exporting:
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
    try:
        subprocess.run([sys.executable, "-c", program], env=env, timeout=60, check=True)
    finally:
        server.shutdown()
        server.server_close()
    if not exporting:
        assert Collector.received == []
        return
    [(path, body)] = Collector.received
    request = ExportTraceServiceRequest.FromString(body)
    [resource] = request.resource_spans
    assert "demo" in {one.value.string_value for one in resource.resource.attributes if one.key == "service.name"}
    [span] = resource.scope_spans[0].spans
    assert path == "/v1/traces" and span.trace_id.hex() == PARENT.split("-")[1] and span.name == "GET /x"
