"""Who is answered at all, and the headers that every answer has."""

import hmac
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jaxcap.serve.answers import error_answer
from jaxcap.serve.errors import ApiError

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Guard:
    """Turns away foreign pages and those who do not know the token.

    A page of another site may not use the server through its visitor's browser (a form posted
    here, which no CORS prevents). Nor may it read from a server that has `hosts`, by a name of its
    own that leads to this machine.
    """

    def __init__(self, app: ASGIApp, token: str | None, hosts: Collection[str]):
        """Guard an app.

        Args:
          app: that answers who gets past.
          token: that requests to the API and for the metrics must carry.
          hosts: names by which the server may be called, in any case; none is any.
        """
        self._app, self._hosts = app, {name.lower() for name in hosts}
        self._bearer = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                # A page that is kept asks whether it is still so: no old module meets a new one.
                api = scope["path"].startswith("/v1/")
                headers["Cache-Control"] = "no-store" if api else "no-cache"
            await send(message)

        refusal = self._refusal(scope["path"], Headers(scope=scope))
        app = self._app if refusal is None else error_answer(refusal)
        await app(scope, receive, answer)

    def _refusal(self, path: str, headers: Mapping[str, str]) -> ApiError | None:
        if self._hosts and _name(headers.get("host", "")) not in self._hosts:
            return ApiError("forbidden", "This server does not go by that name.")
        if path.startswith("/v1/") and _foreign(headers):
            return ApiError("forbidden", "Pages of other sites may not use this server.")
        if self._bearer is None or not (path.startswith("/v1/") or path == "/metrics"):
            return None
        if hmac.compare_digest(headers.get("authorization", "").encode("latin-1"), self._bearer):
            return None
        return ApiError("unauthorized", "Send the header Authorization: Bearer TOKEN.")


def _foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another origin asks.

    A browser says so itself, but to https and localhost alone. To others it names the origin of
    what is posted, whose scheme is not compared: before a proxy it is https, and behind it http.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin is None:
        return False
    scheme, _, address = origin.partition("://")
    return scheme == "null" or _address(address) != _address(headers.get("host", ""))


def _address(host: str) -> str:
    """The host and its port, without one that is usual."""
    return host.lower().removesuffix(":80").removesuffix(":443")


def _name(host: str) -> str:
    """The host without its port."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
