"""The application: routes, pages and errors, behind the guard."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from jaxcap.serve.answers import of_api_error, of_http_error, of_mistake
from jaxcap.serve.engine import Engine
from jaxcap.serve.errors import ApiError
from jaxcap.serve.guard import Guard
from jaxcap.serve.routes import Routes
from jaxcap.serve.watch import Watch

STATIC = Path(__file__).with_name("static")


def application(
    engine: Engine,
    about: Mapping[str, Any],
    *,
    token: str | None = None,
    hosts: Collection[str] = (),
) -> ASGIApp:
    """The ASGI application of an engine.

    Args:
      engine: that is asked.
      about: what `jaxcap.about` tells of its captioner.
      token: that clients must know; None lets everybody in.
      hosts: names that the server goes by; none is any.
    """
    routes = Routes(engine, about)
    app = Starlette(
        routes=[
            Route("/", _page("index.html")),
            Route("/docs", _page("docs.html")),
            Route("/openapi.json", routes.openapi),
            Route("/healthz", routes.healthz),
            Route("/readyz", routes.readyz),
            Route("/metrics", routes.metrics),
            Route("/v1/info", routes.info),
            Route("/v1/caption", routes.caption, methods=["POST"]),
            Route("/v1/score", routes.score, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={
            ApiError: of_api_error,
            HTTPException: of_http_error,
            Exception: of_mistake,
        },
    )
    return Watch(Guard(app, token, hosts), engine.metrics)


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return FileResponse(STATIC / name)

    return page
