"""A request's body, in memory and never on a disk: images and what else was sent.

It is cut off where it goes past a limit: of what is sent the server holds no more than `Limits`
says. JSON needs a few times that while it is parsed, which only as many bodies are at once as there
are threads that read.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from jaxcap.serve.errors import ApiError, too_large, too_many_images
from jaxcap.serve.form import Form
from jaxcap.serve.limits import FIELD, Limits, Places

EXPECTED = "Send multipart/form-data with parts named image, or application/json."
MARKS = 64  # brackets and commas of JSON for each image and text; each may become an object


@dataclass
class Upload:
    """What was sent.

    Attributes:
      images: files, encoded as they came.
      texts: to be scored.
      settings: all else, by name; text where it came in a form.
    """

    images: list[bytes] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


class Intake:
    """Reads uploads; knows how many bytes of them are held."""

    def __init__(self, limits: Limits, readers: Executor):
        """An intake that holds nothing.

        Args:
          limits: of requests.
          readers: threads that parse JSON, which would keep all other requests waiting.
        """
        self.limits, self.held = limits, Places(limits.held_bytes)
        self._readers = readers

    @asynccontextmanager
    async def upload(self, request: Request) -> AsyncIterator[Upload]:
        """The upload of a request, whose bytes count as held until the context ends.

        Raises:
          ApiError: too large or too much, of another media type, or broken.
        """
        kind, options = parse_options_header(request.headers.get("content-type"))
        chunks = _Chunks(request, self.limits, self.held)
        try:
            if kind == b"multipart/form-data" and options.get(b"boundary"):
                upload = await self._form(options[b"boundary"], chunks)
            elif kind == b"application/json":
                body = b"".join([chunk async for chunk in chunks])
                loop = asyncio.get_running_loop()
                upload = await loop.run_in_executor(self._readers, self._json, body)
            else:
                raise ApiError("unsupported_media", EXPECTED)
            if not upload.images:
                raise ApiError("bad_request", f"There is no image. {EXPECTED}")
            self._check_texts(upload.texts)
            yield upload
        finally:
            self.held.give(chunks.count)

    async def _form(self, boundary: bytes, chunks: "_Chunks") -> Upload:
        try:
            form = Form(boundary, self.limits)
            async for chunk in chunks:
                form.write(chunk)
            parts = form.parts()
        except FormParserError as error:
            raise ApiError("bad_request", f"The form is broken: {error}.") from error
        upload = Upload()
        for name, data in parts:
            if name == "image":
                upload.images.append(data)
                continue
            text = _utf8(name, data)
            if name == "text":
                upload.texts.append(text)
            elif name in upload.settings:
                raise ApiError("bad_request", f"The form has {name[:60]!r} more than once.")
            else:
                upload.settings[name] = text
        return upload

    def _json(self, body: bytes) -> Upload:
        most = MARKS * (self.limits.images + self.limits.texts)
        if sum(map(body.count, (b"{", b"[", b","))) > most:
            raise ApiError("bad_request", "The body has too many brackets and commas.")
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ApiError("bad_request", "The body is no JSON.") from error
        if not isinstance(sent, dict):
            raise ApiError("bad_request", "The body is JSON, but no object.")
        one, images, texts = sent.pop("image", None), sent.pop("images", []), sent.pop("texts", [])
        for name, each in (("images", images), ("texts", texts)):
            if not isinstance(each, list):
                raise ApiError("bad_request", f"{name} is no list.")
        images = images if one is None else [one, *images]
        if len(images) > self.limits.images:
            raise too_many_images(self.limits.images)
        if not all(isinstance(text, str) for text in texts):
            raise ApiError("bad_request", "texts is no list of texts.")
        _check_characters((*texts, *sent.values()))
        return Upload(list(self._decoded(images)), texts, sent)

    def _decoded(self, images: list[Any]) -> Iterator[bytes]:
        for number, each in enumerate(images):
            try:
                data = base64.b64decode(each, validate=True)
            except (TypeError, ValueError, binascii.Error) as error:
                raise ApiError("bad_request", f"Image {number} is no base64.") from error
            if len(data) > self.limits.file_bytes:
                raise too_large(f"Image {number}", self.limits.file_bytes)
            yield data

    def _check_texts(self, texts: list[str]) -> None:
        most = self.limits.texts
        if len(texts) > most:
            raise ApiError("bad_setting", f"{len(texts)} texts are sent; at most {most} do.")
        if any(len(text) > FIELD for text in texts):
            raise ApiError("bad_setting", f"A text is longer than {FIELD:,} characters.")


class _Chunks:
    """The body as it comes, counted.

    Attributes:
      count: bytes of it that are held.
    """

    def __init__(self, request: Request, limits: Limits, held: Places):
        self._request, self._limits, self._held = request, limits, held
        self.count = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        told = self._request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > self._limits.body_bytes:
            raise too_large("The request", self._limits.body_bytes)
        async for chunk in self._request.stream():
            if self.count + len(chunk) > self._limits.body_bytes:
                raise too_large("The request", self._limits.body_bytes)
            if not self._held.take(len(chunk)):
                raise ApiError("busy", "Too much is being sent at once. Try again.", 1)
            self.count += len(chunk)
            yield chunk


def _check_characters(values: Iterable[Any]) -> None:
    """Refuse text with half a character: JSON may have it, and no tokenizer or answer can."""
    try:
        for value in values:
            if isinstance(value, str):
                value.encode()
    except UnicodeEncodeError as error:
        raise ApiError("bad_request", "A text has half a character (a lone surrogate).") from error


def _utf8(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ApiError("bad_request", f"{name[:60]} is no UTF-8.") from error
