"""TensorBoard: event files in the run directory, by tensorboardX."""

import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from jaxcap.samples import with_caption
from jaxcap.writers.writer import Sample

QUALITY = 90  # of JPEG: an event file has all samples of all evaluations


class TensorBoard:
    """See `jaxcap.writers.writer.Writer`. `tensorboard --logdir RUN` shows it, and RUN's traces.

    Events are written here and now: the thread of tensorboardX's `SummaryWriter` dies of a full
    disk, and whoever writes after that waits for it for ever.
    """

    package = "tensorboardX"

    def __init__(self, folder: Path, first: int):
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        self._file = EventsWriter(str(folder / "events"), f".{first}")
        # TensorBoard forgets what earlier files have of the steps that are done again.
        self._write(first, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Curves by their names."""
        from tensorboardX.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=float(number)) for name, number in numbers.items()
        ]
        self._write(step, summary=Summary(value=values))

    def samples(self, step: int, samples: Sequence[Sample]) -> None:
        """Images with their captions below, and where the decoder looked; captions as text too."""
        from tensorboardX.proto.summary_pb2 import Summary
        from tensorboardX.summary import text

        values = []
        for number, sample in enumerate(samples):
            drawn = {"image": with_caption(sample.image, sample.caption), "looks": sample.looks}
            values += [
                Summary.Value(tag=f"samples/{number}/{what}", image=_encoded(picture))
                for what, picture in drawn.items()
                if picture is not None
            ]
            values += text(f"samples/{number}/caption", sample.caption).value
        self._write(step, summary=Summary(value=values))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, step: int, **what: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write_event(Event(wall_time=time.time(), step=step, **what))
        self._file.flush()


def _encoded(picture: Image.Image) -> Any:
    """A picture as TensorBoard has it."""
    from tensorboardX.proto.summary_pb2 import Summary

    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    width, height = picture.size
    return Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=buffer.getvalue()
    )
