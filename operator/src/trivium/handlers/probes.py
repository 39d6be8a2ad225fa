"""What the kubelet asks: /healthz, whether this process still sees and works; /readyz, whether it knows the cluster."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

STALE_SECONDS = 75.0
"""Longer without any event than a healthy watch is silent: the Lease alone is renewed every two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a probe says. `problem` is empty for yes."""

    problem: str = ""


class Probes:
    """A small HTTP server; `start` chooses the port if it is 0."""

    def __init__(self, *, port: int, alive: Callable[[], Health], ready: Callable[[], Health]) -> None:
        self._port = port
        self._answers = {"/healthz": alive, "/readyz": ready}
        self._runner: web.AppRunner | None = None
        self.port = port

    async def start(self) -> None:
        """Listen on every address: the kubelet comes from the node."""
        application = web.Application()
        for path, ask in self._answers.items():
            application.router.add_get(path, _handler(ask))
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "0.0.0.0", self._port).start()  # noqa: S104 - a pod has no address before it runs
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close it."""
        if self._runner is not None:
            await self._runner.cleanup()


def _handler(ask: Callable[[], Health]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        health = ask()
        return web.Response(text=f"{health.problem or 'ok'}\n", status=503 if health.problem else 200)

    return answer
