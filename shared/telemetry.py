"""Traces and log lines. One trace follows a request through HTTP, outbox, Kafka, handler and database (W3C trace context).

No personal value belongs in either: spans carry names, ids, counts and codes; log lines are JSON with the trace id. Traces
are exported (OTLP over HTTP) only where OTEL_EXPORTER_OTLP_ENDPOINT is set.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared.clock import SystemClock, rfc3339
from shared.errors import KeptError

TEMPLATE_CHARS_MAX = 200
FLUSH_MILLISECONDS_MAX = 2000  # a collector that is away must not hold up a stop

_tracer = trace.get_tracer("kept")
_ids = RandomIdGenerator()
_told = True  # whether anybody hears of spans: where nobody does, they are names of moments and nothing else


OURS = ("kept", "services", "shared", "deploy", "examples", "__main__")


class JsonLines(logging.Formatter):
    """One JSON object per line. Texts of libraries may hold values: of their lines only the template is printed, and of an
    exception only its type and where it was raised."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._clock = SystemClock()

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.partition(".")[0] in OURS
        line: dict[str, object] = {
            "time": rfc3339(self._clock.now()),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage() if ours else str(record.msg).partition("\n")[0][:TEMPLATE_CHARS_MAX],
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
            line["span_id"] = f"{span.span_id:016x}"
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["at"] = _frames(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def _frames(error: BaseException) -> list[str]:
    frames = []
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 2)[-1]}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return frames[-8:]


def setup(service: str) -> TracerProvider:
    """Log lines to stderr, and a tracer; call once, in the composition root."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("aiokafka", "httpx", "httpcore", "faststream", "urllib3", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs record keys; we report what we catch ourselves
    sys.excepthook = _last_words  # Python's own would print the text
    # Python's warnings quote source lines, never values; they are noise on every start of a service.
    warnings.simplefilter("ignore")
    global _told
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.namespace": "kept"}))
    _told = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    if _told:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def flush() -> None:
    """Send what spans there still are: a process that ends by a signal runs no exit handlers."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(FLUSH_MILLISECONDS_MAX)


def _last_words(kind: type[BaseException], error: BaseException, trace_back: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger("kept").critical("stopped by a defect", exc_info=(kind, error, trace_back))


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    attributes: Mapping[str, str | int] | None = None,
) -> Iterator[Span]:
    """A span around a block. `parent`: a traceparent that came from elsewhere. Errors are recorded by code, never by text."""
    within = extract(parent) if parent else None
    if not _told:
        made = _named(within)
        token = context.attach(trace.set_span_in_context(made, within))
        try:
            yield made
        finally:
            context.detach(token)
        return
    with _tracer.start_as_current_span(
        name,
        context=within,
        kind=kind,
        attributes=dict(attributes or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except Exception as error:
            code = error.code if isinstance(error, KeptError) else type(error).__name__
            made.set_status(Status(StatusCode.ERROR, code))
            raise


def _named(within: context.Context | None) -> Span:
    """A span that nobody hears of: log lines, events and calls still carry its trace, and go on with one from outside."""
    parent = trace.get_current_span(within).get_span_context()
    trace_id = parent.trace_id if parent.is_valid else _ids.generate_trace_id()
    flags = parent.trace_flags if parent.is_valid else TraceFlags(TraceFlags.SAMPLED)
    return NonRecordingSpan(SpanContext(trace_id, _ids.generate_span_id(), False, flags, parent.trace_state))


def heard() -> bool:
    """Whether spans go anywhere."""
    return _told


def inject() -> str | None:
    """The current trace context as a traceparent, or None outside any trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def extract(traceparent: str) -> context.Context:
    """The context that a traceparent names; an empty one where it is malformed."""
    return propagate.extract({"traceparent": traceparent})
