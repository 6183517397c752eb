"""The routes of the server, each a function from a request to its answer."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from jaxcap.serve.answers import result
from jaxcap.serve.engine import Engine
from jaxcap.serve.errors import ApiError
from jaxcap.serve.metrics import CONTENT_TYPE_LATEST
from jaxcap.serve.openapi import document
from jaxcap.serve.reading import Intake, Upload
from jaxcap.serve.watch import GONE

TOLD = {"bytes": "file_bytes", "request_bytes": "body_bytes"}  # limits, as clients know them
TOLD |= {name: name for name in ("images", "pixels", "beams", "num", "texts")}


class Routes:
    """What is answered of a captioner."""

    def __init__(self, engine: Engine, about: Mapping[str, Any]):
        """Routes that ask an engine; `about` is what `jaxcap.about` tells of its captioner."""
        self._engine, self._limits, self._about = engine, engine.limits, about
        self._intake = Intake(engine.limits, engine.readers)
        self._document = document(engine.limits, engine.usual)

    async def openapi(self, request: Request) -> Response:
        """The description of this API."""
        return JSONResponse(self._document)

    async def healthz(self, request: Request) -> Response:
        """That the process lives."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether captions may be asked for, and if not, how far that is."""
        engine = self._engine
        if engine.state == "ready":
            return JSONResponse({"status": "ready"})
        told = {"status": engine.state, "done": engine.done, "total": engine.total}
        return JSONResponse(told, 503, {"Retry-After": "5"})

    async def metrics(self, request: Request) -> Response:
        """What Prometheus reads."""
        return Response(self._engine.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def info(self, request: Request) -> Response:
        """What captioner this is, and what may be asked of it."""
        captioner, about = self._engine.captioner, self._about
        model = captioner.config.model
        return JSONResponse(
            {
                "name": about["name"],
                "architecture": f"{model.encoder.name} + {model.decoder.name}",
                "parameters": about["parameters"]["all"],
                "step": captioner.step,
                "license": about["license"],
                "looks": self._engine.explains,
                "vocabulary": captioner.tokenizer.vocab_size,
                "defaults": self._engine.usual,
                "limits": {name: getattr(self._limits, field) for name, field in TOLD.items()},
            }
        )

    async def caption(self, request: Request) -> Response:
        """Captions of images."""
        return await self._answered(request, self._caption)

    async def score(self, request: Request) -> Response:
        """Log-probabilities of texts."""
        return await self._answered(request, self._score)

    async def _caption(self, upload: Upload) -> Response:
        if upload.texts:
            raise ApiError("bad_setting", "Texts are for /v1/score; here images are captioned.")
        asked = self._engine.asked(upload.settings)
        found = await self._engine.caption(upload.images, asked)
        if len(found) == 1 and isinstance(found[0], ApiError):
            raise found[0]
        return JSONResponse({"results": [result(each) for each in found]})

    async def _score(self, upload: Upload) -> Response:
        if len(upload.images) > 1 or not upload.texts or upload.settings:
            raise ApiError("bad_request", "Send one image, one or more texts, and nothing else.")
        return JSONResponse({"logprobs": await self._engine.score(upload.images[0], upload.texts)})

    async def _answered(
        self, request: Request, answer: Callable[[Upload], Coroutine[Any, Any, Response]]
    ) -> Response:
        """The answer to an upload, in the time that there is for it."""
        self._engine.check_open()
        seconds = self._limits.seconds
        try:
            async with asyncio.timeout(seconds), self._intake.upload(request) as upload:
                return await _unless_gone(request, answer(upload))
        except TimeoutError as error:
            raise ApiError("timeout", f"There was no answer within {seconds:g} seconds.") from error
        except ClientDisconnect:
            return Response(status_code=GONE)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """What the work gives; it is given up when the client goes away.

    Raises:
      ClientDisconnect: it went.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_receive(request))  # all else has been read
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _receive(request: Request) -> None:
    await request.receive()
