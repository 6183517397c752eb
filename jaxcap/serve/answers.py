"""Answers as JSON."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jaxcap.serve.engine import Found
from jaxcap.serve.errors import ApiError

OF_HTTP = {
    404: ("not_found", "There is nothing here. See /docs."),
    405: ("method_not_allowed", "This is not asked for in that way. See /docs."),
}


def result(found: Found | ApiError) -> dict[str, Any]:
    """What is said of an image, or why nothing is."""
    if isinstance(found, ApiError):
        return found.body()
    captions = [{"text": each.text, "score": each.score} for each in found.captions]
    return {"captions": captions, **found.looks}


def error_answer(error: ApiError) -> Response:
    """An error as an answer."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.code == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    if error.code == "too_large":
        headers["Connection"] = "close"  # the rest of the body is not read
    return JSONResponse(error.body(), error.status, headers)


async def of_api_error(request: Request, error: Exception) -> Response:
    """The answer where something was refused."""
    assert isinstance(error, ApiError)
    return error_answer(error)


async def of_http_error(request: Request, error: Exception) -> Response:
    """The answer where there is no such page, or no such method of it."""
    assert isinstance(error, HTTPException)
    code, message = OF_HTTP.get(error.status_code, ("bad_request", "The request is broken."))
    return error_answer(ApiError(code, message))


async def of_mistake(request: Request, error: Exception) -> Response:
    """The answer where the server made a mistake; what it was is told to its log alone."""
    return error_answer(ApiError("internal", "The server made a mistake. Its log has more."))
