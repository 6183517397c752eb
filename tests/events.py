"""What an event file of TensorBoard holds, read by the format of its records."""

import io
import struct

import numpy as np
from PIL import Image
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c


def events(folder):
    """Those of all event files of a folder, in the order that they were written in."""
    return [event for file in sorted(folder.glob("events.*")) for event in _events(file)]


def scalars(folder):
    """(step, name, number) of each."""
    return [
        (event.step, value.tag, value.simple_value)
        for event in events(folder)
        for value in event.summary.value
        if value.HasField("simple_value")
    ]


def texts(folder, step):
    """(name, text) of each of a step."""
    return [
        (value.tag, value.tensor.string_val[0].decode())
        for value in _values(folder, step)
        if value.metadata.plugin_data.plugin_name == "text"
    ]


def images(folder, step):
    """Name -> pixels, uint8 [h, w, 3], of a step."""
    found = {}
    for value in _values(folder, step):
        if value.HasField("image"):
            picture = Image.open(io.BytesIO(value.image.encoded_image_string))
            assert picture.size == (value.image.width, value.image.height)
            found[value.tag] = np.asarray(picture)
    return found


def _values(folder, step):
    return [v for event in events(folder) if event.step == step for v in event.summary.value]


def _events(file):
    data, at = file.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        body = data[at + 12 : at + 12 + length]
        for text, place in ((data[at : at + 8], at + 8), (body, at + 12 + length)):
            assert struct.unpack_from("<I", data, place) == (masked_crc32c(text),)
        yield Event.FromString(body)
        at += 16 + length
