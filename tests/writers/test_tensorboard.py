"""Event files: what TensorBoard would read of them."""

import numpy as np
import pytest
from events import events, images, scalars, texts
from PIL import Image
from tensorboardX.proto.event_pb2 import SessionLog

from jaxcap.samples import side_by_side, with_caption
from jaxcap.writers.tensorboard import TensorBoard
from jaxcap.writers.writer import Sample


def picture(seed, height, width):
    small = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def test_numbers_are_there_as_soon_as_they_are_written(tmp_path):
    writer = TensorBoard(tmp_path, 0)
    writer.scalars(3, {"loss": 0.25, "eval/CIDEr": np.float64(1.5)})
    assert scalars(tmp_path) == [(3, "loss", 0.25), (3, "eval/CIDEr", 1.5)]
    writer.close()
    assert len(scalars(tmp_path)) == 2


def test_steps_that_are_done_again_take_the_place_of_the_old_ones(tmp_path):
    """TensorBoard forgets what was written of steps from that of a START on."""
    for first in (0, 5):
        writer = TensorBoard(tmp_path, first)
        for step in range(first, first + 6):
            writer.scalars(step, {"loss": float(first)})
        writer.close()
    kept = {}
    for event in events(tmp_path):
        if event.session_log.status == SessionLog.START:
            kept = {step: loss for step, loss in kept.items() if step < event.step}
        for value in event.summary.value:
            assert event.step not in kept
            kept[event.step] = value.simple_value
    assert kept == {step: 0.0 if step < 5 else 5.0 for step in range(11)}


def test_samples_are_images_with_their_captions(tmp_path):
    square, looks = side_by_side([picture(0, 30, 40), picture(1, 40, 20)]), picture(2, 90, 200)
    writer = TensorBoard(tmp_path, 0)
    writer.samples(7, [Sample(square, "a dög", looks), Sample(square, "", None)])
    writer.close()
    captions = dict(texts(tmp_path, 7))
    assert list(captions.values()) == ["a dög", ""]
    found = images(tmp_path, 7)
    assert set(found) == {"samples/0/image", "samples/0/looks", "samples/1/image"}
    expected = {
        "samples/0/image": with_caption(square, "a dög"),
        "samples/0/looks": looks,
        "samples/1/image": with_caption(square, ""),
    }
    for name, drawn in expected.items():
        assert found[name].shape == np.asarray(drawn).shape
        assert np.abs(found[name] - np.asarray(drawn, float)).mean() < 4  # of 255: it is a JPEG
    assert np.abs(found["samples/0/image"] - found["samples/1/image"].astype(float)).max() > 99


def test_a_full_disk_is_told_and_does_not_hang(tmp_path):
    writer = TensorBoard(tmp_path, 0)
    records = writer._file._py_recordio_writer
    records._writer.close()
    with open("/dev/full", "wb", buffering=0) as records._writer:
        for step in range(100):  # more than a queue would take
            with pytest.raises(OSError, match="No space left"):
                writer.scalars(step, {"loss": 1.0})
