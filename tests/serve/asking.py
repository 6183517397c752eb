"""Photographs as files, and requests that carry them."""

import asyncio
import base64
import io
import struct
import zlib

import httpx2
import numpy as np
from PIL import Image

ABOUT = {"name": "tiny", "parameters": {"all": 3}, "license": "CC0-1.0"}
BROKEN = b"\xff\xd8 and no more"


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose head tells of many pixels, and that has none."""
    head = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def as_form(*images: bytes, **settings) -> dict:
    return {
        "files": [("image", (f"{i}.png", image)) for i, image in enumerate(images)],
        "data": {name: str(value) for name, value in settings.items()},
    }


def as_json(*images: bytes, **settings) -> dict:
    return {"json": {"images": [base64.b64encode(each).decode() for each in images], **settings}}


def at_once(app, *calls):
    """What each of several coroutine functions of a client gives, all of them at once."""

    async def gathered():
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await asyncio.gather(*(call(client) for call in calls))

    return asyncio.run(gathered())
