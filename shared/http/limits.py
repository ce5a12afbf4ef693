"""What one request, one connection and one client may take: the same numbers at the gateway and at every service.

The gateway (deploy/gateway) refuses first. Each service holds them too: in a cluster another proxy stands in front, and
whoever is inside reaches the service without one. docs/limits.md says why each is what it is.
"""

HEADER_BYTES_MAX = 32 * 1024  # of one request's line and headers: a few tokens and cookies, far more than a browser sends
HEADER_SECONDS_MAX = 10  # from the first byte (or the connection) to the end of the headers
IDLE_SECONDS_MAX = 75  # a connection without a request; longer than what a proxy keeps one, so that it closes first
BODY_BYTES_MAX = 1024 * 1024  # a route that takes more (an import) names its own limit in `body_limits`
BODY_SECONDS_FREE = 20  # a body may take this, and the time that its bytes need at BODY_BYTES_PER_SECOND_MIN
BODY_BYTES_PER_SECOND_MIN = 8 * 1024  # a poor mobile line; 1 MiB may take 148 s, an import of 32 MiB over an hour
ANSWER_STALL_SECONDS_MAX = 60  # a client that takes none of its answer for so long has gone away
AT_ONCE_PER_SOURCE = 100  # requests under way from one source at one service; a browser makes six
AT_ONCE = 400  # requests under way at one service; from half of it on, each source has its share
CONNECTIONS_PER_SOURCE = 256  # open connections from one source at the gateway
AGAIN_SECONDS = 1  # when whoever was refused for these may ask again
