"""HAProxy's configuration, as one page with a table of routes. It keeps no log of who asked for what.

    python -m deploy.gateway.config > deploy/compose/haproxy.cfg

What it does, in this order: a source has so many connections; the host and the path are ours; the request is small, whole and
in time before a service hears of it; what it says about hops before us is taken away. Then the table. Every answer, also
HAProxy's own, has the security headers that the services give; what is no HTTP at all gets HAProxy's two lines of text and the
end of the connection.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.gateway.routes import FRONT, LARGE, LOCAL, ROUTES, SLOW, SLOW_END
from shared.http import limits
from shared.http.edge import HEADERS
from shared.http.source import HOP_HEADER

ANSWER_SECONDS_MAX = 30  # until an answer begins, and between its parts; a stream beats every ten seconds
SLOW_ANSWER_SECONDS_MAX = 150  # where a service has much to do before it answers (routes.SLOW)
CONNECT_SECONDS_MAX = 3
CHECK_ANSWER_SECONDS_MAX = 4  # a process gives its own parts two
CHECK_SECONDS = 1  # between two looks at whether a process is ready, where there are two
QUEUE_SECONDS_MAX = 5  # for a service that answers as many as it can
OF_ONE_PART = limits.AT_ONCE + 100  # under way at one part and waiting for it: six that all hang leave room to answer others
CONNECTIONS_MAX = 4000  # of everybody; a source has limits.CONNECTIONS_PER_SOURCE of them
BUFFER_BYTES = 64 * 1024  # of a request held here: its headers and a small body; at most 256 MiB of all connections
KEEP_SECONDS = limits.IDLE_SECONDS_MAX - 15  # shorter than the services keep theirs: no request meets a closing connection
JSON = "application/problem+json"
READY = '{"ready":true,"waits_for":[]}'
SOURCE = "src,ipmask(32,56)"  # a household is given IPv6 of 56 bits (shared/http/source.py): such a one is one source
OWN_HEADERS = [(name.decode(), value.decode()) for name, value in HEADERS]

ERRORS = {400: ("malformed", "this is no request that we understand"), 408: ("timeout", "the request took too long to come")}


@dataclass(frozen=True)
class Place:
    """Where the gateway stands: what it listens on, under which hosts it is asked, where each part is."""

    bind: str
    hosts: Sequence[str]
    parts: Mapping[str, str]  # part -> host:port
    second: Mapping[str, str] = field(default_factory=dict)  # of a part that runs as two processes
    hop: str = ""  # the secret by which services know that the gateway speaks, and nobody else on this machine
    resolver: str = ""  # who is asked where a part is now; addresses need none


COMPOSE = Place(
    bind=":8080",
    hosts=("localhost:8080", "127.0.0.1:8080", "[::1]:8080"),
    parts={part: f"{part}:8000" for part in ROUTES},
    resolver="127.0.0.11:53",  # Docker's own
)


def config(place: Place) -> str:
    """The whole page."""
    routes = {**ROUTES, **{part: paths for part, paths in LOCAL.items() if part in place.parts}}
    return "\n\n".join([_head(place), _front(place, routes), _nobody(), *(_back(part, place) for part in routes)]) + "\n"


def _head(place: Place) -> str:
    resolver = f"\n\nresolvers names\n    nameserver one {place.resolver}\n    hold valid 10s" if place.resolver else ""
    errors = "\n".join(_error(status, _problem(status, code, detail)) for status, (code, detail) in ERRORS.items())
    return f"""# Written by deploy/gateway/config.py: change that, not this.
global
    maxconn {CONNECTIONS_MAX}
    tune.bufsize {BUFFER_BYTES}
    hard-stop-after 5s
    # No admin socket, no log, no statistics: there is nothing to ask it, and nothing that it could tell.

defaults
    mode http
    timeout http-request {limits.HEADER_SECONDS_MAX}s
    timeout http-keep-alive {KEEP_SECONDS}s
    timeout client {limits.ANSWER_STALL_SECONDS_MAX}s
    timeout connect {CONNECT_SECONDS_MAX}s
    timeout queue {QUEUE_SECONDS_MAX}s
    timeout server {ANSWER_SECONDS_MAX}s
    retries 1
{errors}{resolver}"""


def _front(place: Place, routes: Mapping[str, Sequence[str]]) -> str:
    small = " ".join(f"!{{ path {path} }}" for path in LARGE)
    large = "\n".join(f"    {_over(most)} {{ path {path} }}" for path, most in LARGE.items())
    hop = f"\n    http-request set-header {HOP_HEADER} {place.hop}" if place.hop else ""
    after = "\n".join(
        f"    http-after-response set-header {name} {_quoted(value)} unless {{ res.hdr({name}) -m found }}"
        for name, value in OWN_HEADERS
    )
    odd_path = "a path has no dot segments, no backslashes and no control characters"
    long_head = f"the headers are over their limit of {limits.HEADER_BYTES_MAX} bytes"
    table = "\n".join(f"    use_backend {part:<9} if {_paths(paths)}" for part, paths in routes.items())
    return f"""frontend everything
    bind {place.bind} proto h1
    # 1. Whoever has many connections open gets no more: slow heads, slow bodies and idle ones cost their owner alone.
    stick-table type ipv6 size 100k expire 2m store conn_cur
    tcp-request connection track-sc0 {SOURCE}
    tcp-request connection reject if {{ sc0_conn_cur gt {limits.CONNECTIONS_PER_SOURCE} }}
    # 2. Our own hosts, and plain paths as they will be read.
    acl ours       req.hdr(host),lower -m str {" ".join(sorted(place.hosts))}
    acl odd_path   path,url_dec -m reg (^|/)[.]{{1,2}}(/|$)
    acl odd_path   path -m sub -i %5c \\\\
    acl odd_path   path -m reg -i %([01][0-9a-f]|7f)
    acl odd_path   query -m sub %00
    acl long_head  req.hdrs,length gt {limits.HEADER_BYTES_MAX}
    {_say(431, "too-large", long_head)} if long_head
    {_say(421, "misdirected", "this is not a host of ours")} unless ours
    {_say(400, "malformed", odd_path)} if odd_path
    # 3. A small body is whole before a service hears of it; a large one has begun well.
    {_over(limits.BODY_BYTES_MAX)} {small}
{large}
    http-request wait-for-body time {limits.BODY_SECONDS_FREE}s at-least {BUFFER_BYTES} unless METH_GET
    # 4. What a client says about hops before us is not ours to believe.
    http-request del-header X-Forwarded -m beg
    http-request del-header Forwarded
    http-request del-header X-Real-IP
    http-request del-header {HOP_HEADER}
    http-request del-header Upgrade
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]{hop}
    # 5. Every answer.
{after}
    http-after-response del-header Server
    http-request return status 200 content-type application/json string '{READY}' if {{ path /gateway/readyz }}
    # The table. What only the inside asks for (/metrics, /livez, /readyz) is in no line of it.
    use_backend {FRONT[1]:<9} if {{ path {FRONT[0]} }}
{table}
    default_backend nobody"""


def _nobody() -> str:
    return f"backend nobody\n    {_say(404, 'not-found', 'there is no such page')}"


def _back(part: str, place: Place) -> str:
    answers = {502: f"{part} broke off", 503: f"{part} is starting or away", 504: f"{part} did not answer in time"}
    said = {status: _problem(status, "unavailable", detail) for status, detail in answers.items()}
    errors = "\n".join(f"{_error(status, body)} hdr Retry-After 3" for status, body in said.items())
    full = _say(503, "unavailable", f"too many wait for {part}", again=3)
    return f"""backend {part}
    {full} if {{ be_conn gt {OF_ONE_PART} }}
    http-request set-timeout server {SLOW_ANSWER_SECONDS_MAX}s if {_paths(SLOW)} || {{ path_end {SLOW_END} }}
{_servers(part, place)}
{errors}"""


def _servers(part: str, place: Place) -> str:
    resolve = " resolvers names init-addr none" if place.resolver else ""
    one = f"    server {part} {place.parts[part]} maxconn {limits.AT_ONCE}{resolve}"
    if part not in place.second:
        return one
    # Whoever does not say that it is ready is asked nothing else, so a process that is to end has time to answer what it has.
    # Where neither is, both are asked all the same: they know best what they can answer. What never reached a process goes to
    # the other one; what one broke off, only where asking twice changes nothing.
    check, two = f" check inter {CHECK_SECONDS}s fall 2 rise 1", place.second[part]
    return f"""    option httpchk GET /readyz
    timeout check {CHECK_ANSWER_SECONDS_MAX}s
    option redispatch 1
    option allbackups
    retries 3
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET
{one}{check}
    server {part}-2 {two} maxconn {limits.AT_ONCE}{check}
    server {part}-anyway {place.parts[part]} maxconn {limits.AT_ONCE} backup
    server {part}-2-anyway {two} maxconn {limits.AT_ONCE} backup"""


def _paths(paths: Sequence[str]) -> str:
    return f"{{ path {' '.join(paths)} }} || {{ path_beg {' '.join(f'{path}/' for path in paths)} }}"


def _over(most: int) -> str:
    return f"{_say(413, 'too-large', f'the body is over its limit of {most} bytes')} if {{ req.body_size gt {most} }}"


def _problem(status: int, code: str, detail: str) -> str:
    title = detail[0].upper() + detail[1:]
    body = {"type": f"https://kept.example/problems/{code}", "title": title, "status": status, "code": code, "detail": detail}
    return json.dumps(body, separators=(",", ":"))


def _say(status: int, code: str, detail: str, *, again: int = 0) -> str:
    wait = f" hdr Retry-After {again}" if again else ""
    return f"http-request return status {status} content-type {JSON} string '{_problem(status, code, detail)}'{wait}"


def _error(status: int, body: str) -> str:
    """What HAProxy says where no rule of the frontend does; these rules do not see all of it, so it has the headers itself."""
    own = "".join(f" hdr {name} {_quoted(value)}" for name, value in OWN_HEADERS)
    return f"    http-error status {status} content-type {JSON} string '{body}'{own}"


def _quoted(value: str) -> str:
    return f'"{value}"'


if __name__ == "__main__":
    sys.stdout.write(config(COMPOSE))
