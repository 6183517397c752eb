"""Every request counted, timed and logged: by its route and status, and nothing else of it."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jaxcap.serve.metrics import Metrics

ROUTES = {"/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/v1/info"}
ROUTES |= {"/v1/caption", "/v1/score"}
METHODS = {"GET", "HEAD", "POST", "OPTIONS"}
GONE = 499  # the client went away

log = logging.getLogger(__name__)


class Watch:
    """Counts what an app answers.

    A path or a method that nobody serves is written nowhere: it could be anything.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count the answer."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path, status, begin = scope["path"], GONE, time.monotonic()
        route = path if path in ROUTES else "/static" if path.startswith("/static/") else "other"

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            seconds = time.monotonic() - begin
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            method = scope["method"] if scope["method"] in METHODS else "other"
            log.info("%s %s %d %.0f ms", method, route, status, seconds * 1000)
