"""A collector of traces, as far as receiving goes: real OTLP over HTTP from the services' own exporters."""

import gzip
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MESSAGES_MAX = 5_000  # a whole run of the suite sends a few thousand
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Seen:
    """One span, as it arrived. `scope`: the library that made it."""

    scope: str
    trace: str
    id: str
    parent: str
    service: str
    name: str
    attributes: dict[str, str]


class Collector:
    """Listens on `port` of this machine (0: a free one) as long as the process lives."""

    def __init__(self, port: int = 0) -> None:
        self.bodies: deque[bytes] = deque(maxlen=MESSAGES_MAX)
        self.paths: set[str] = set()
        collector = self

        class Receive(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.add(self.path)
                collector.bodies.append(gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", port), Receive)
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """What a process needs to send here, soon after each span."""
        direct = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "500", **direct}

    def spans(self) -> list[Seen]:
        found: list[Seen] = []
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                named = {one.key: one.value.string_value for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    found += [
                        Seen(
                            scope.scope.name,
                            one.trace_id.hex(),
                            one.span_id.hex(),
                            one.parent_span_id.hex(),
                            named["service.name"],
                            one.name,
                            {a.key: a.value.string_value or str(a.value.int_value) for a in one.attributes},
                        )
                        for one in scope.spans
                    ]
        return found

    def trace_with(self, root: Callable[[Seen], bool], *names: str) -> Sequence[Seen]:
        """All spans of the newest trace whose first span is `root`, once it has spans of all `names`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            spans = self.spans()
            traces = [one.trace for one in spans if not one.parent and root(one)]
            whole = [one for one in spans if traces and one.trace == traces[-1]]
            if set(names) <= {one.name for one in whole}:
                return whole
            assert time.monotonic() < deadline, f"no such trace within {WAIT_SECONDS:.0f} s: {sorted({s.name for s in whole})}"
            time.sleep(0.3)
