"""/metrics over HTTP, for Prometheus."""

from aiohttp import web

from trivium.handlers.metrics.operator_metrics import CONTENT_TYPE, OperatorMetrics


class MetricsServer:
    """A small HTTP server; `start` chooses the port if it is 0."""

    def __init__(self, metrics: OperatorMetrics, *, port: int) -> None:
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.port = port

    async def start(self) -> None:
        """Listen on every address: Prometheus comes from another pod. Who may is the NetworkPolicy's affair."""
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "0.0.0.0", self.port).start()  # noqa: S104 - a pod has no address before it runs
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close it; a scrape under way is answered first."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._metrics.scrape(), headers={"Content-Type": CONTENT_TYPE})
