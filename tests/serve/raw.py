"""A client that sends as it likes, and may stop or go away: ASGI by hand."""

import asyncio

END = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


class Raw:
    """One request; `messages` is what the server is sent, and `asked` how often it asked."""

    def __init__(self, app, kind, headers=()):
        self.app, self.messages, self.asked, self.sent = app, asyncio.Queue(), 0, []
        self.headers = [(b"host", b"localhost"), (b"content-type", kind.encode()), *headers]

    def send(self, *messages):
        for each in messages:
            body = {"type": "http.request", "body": each, "more_body": True}
            self.messages.put_nowait(body if isinstance(each, bytes) else each)

    async def answer(self):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/caption",
            "raw_path": b"/v1/caption",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": self.headers,
        }
        await self.app(scope, self._receive, self._take)
        return self.sent[0]["status"], b"".join(each["body"] for each in self.sent[1:])

    async def _receive(self):
        self.asked += 1
        return await self.messages.get()

    async def _take(self, message):
        self.sent.append(message)
