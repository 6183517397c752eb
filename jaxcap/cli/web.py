"""Photographs from the web, for those who ask for them by --allow-url."""

from http.client import HTTPException
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from jaxcap.data.image import ImageError

MAX_BYTES = 64 * 2**20
TIMEOUT = 30  # seconds without a byte
AGENT = "jaxcap"


def read_url(url: str) -> bytes:
    """The bytes behind an address, over http or https, redirects followed.

    Raises:
      ImageError: it cannot be had, or is larger than MAX_BYTES.
    """
    try:
        with _opener().open(Request(url, headers={"User-Agent": AGENT}), timeout=TIMEOUT) as answer:
            data = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", "") or error  # urllib wraps what went wrong
        raise ImageError(f"cannot be fetched: {reason}") from error
    if len(data) > MAX_BYTES:
        raise ImageError(f"has more than {MAX_BYTES // 2**20} MiB, and is not fetched to its end")
    return data


def _opener() -> OpenerDirector:
    """One that knows no other schemes: a redirect to a file of this machine leads nowhere."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler,
        HTTPHandler,
        HTTPSHandler,
        HTTPRedirectHandler,
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
        UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener
