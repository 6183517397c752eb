"""How a source in the Hugging Face layout takes its photographs, read and written."""

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from jaxcap.atomic import write_text
from jaxcap.data.frame import MAX_SIDE, Frame
from jaxcap.interop.preprocessor_file import FILE, SIZES, Channels, Fields

CONVNEXT_WHOLE = 384  # a ConvNext of this side or a longer one is shown all of the photograph


@dataclass(frozen=True)
class Preprocessor:
    """From a photograph to what the first layer takes.

    Attributes:
      frame: from the photograph to a square of bytes.
      mean, std: of the channels, in units of 255: the layer takes (pixel / 255 - mean) / std.
    """

    frame: Frame
    mean: Channels
    std: Channels


def read_preprocessor(folder: str | Path) -> Preprocessor:
    """What the preprocessor_config.json of a folder says, or the processor_config.json around it.

    It is what Transformers makes of the file: a class of image processors has its own meaning for
    what the file leaves out. Known are those of CLASSES, and their old and their fast names.

    Raises:
      UserError: there is no such file, it is damaged, or it asks for what a `Preprocessor` cannot
        say (another class, a result that is no square, no resizing).
    """
    fields = Fields.of(Path(folder))
    fields.must("do_resize", True)
    fields.must("do_pad", False)
    fields.must("use_square_size", False)
    frame = _convnext(fields) if fields.kind == "ConvNextImageProcessor" else _frame(fields)
    scale = 255.0 * (fields.positive("rescale_factor") if fields.flag("do_rescale") else 1.0)
    normalized = fields.flag("do_normalize")
    mean = fields.channels("image_mean") if normalized else (0.0, 0.0, 0.0)
    std = fields.channels("image_std", positive=True) if normalized else (1.0, 1.0, 1.0)
    return Preprocessor(frame, _divided(mean, scale), _divided(std, scale))


def write_preprocessor(preprocessor: Preprocessor, folder: str | Path) -> None:
    """Write preprocessor_config.json, of the one class that can say every frame: CLIP's.

    `transformers.AutoImageProcessor.from_pretrained(folder)` reads it.
    """
    frame = preprocessor.frame
    content = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": dict.fromkeys(SIZES[frame.fit], frame.side),
        "resample": Image.Resampling[frame.resample.upper()],
        "do_center_crop": True,
        "crop_size": dict.fromkeys(SIZES["squeeze"], frame.image_size),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": preprocessor.mean,
        "image_std": preprocessor.std,
    }
    write_text(Path(folder) / FILE, json.dumps(content, indent=2) + "\n")


def _frame(fields: Fields) -> Frame:
    fit, side = fields.size("size", fields.flag("default_to_square"))
    if fields.flag("do_center_crop"):
        kept, image_size = fields.size("crop_size", True)
        if kept == "short":
            raise fields.refused("crop_size", "a height and a width that are the same")
        return Frame(image_size, fit, side, fields.method())
    if fit == "short":
        raise fields.refused("size", "a square, or a shortest_edge with do_center_crop = true")
    return Frame(side, fit, resample=fields.method())


def _convnext(fields: Fields) -> Frame:
    """A short side, and the share of it that is kept of a small photograph."""
    fields.must("do_center_crop", False)
    fit, side = fields.size("size", fields.flag("default_to_square"))
    if fit == "squeeze":
        raise fields.refused("size", "a shortest_edge, for this class")
    if side >= CONVNEXT_WHOLE:
        return Frame(side, resample=fields.method())
    resize = int(side / fields.positive("crop_pct"))
    if not 1 <= resize <= MAX_SIDE:
        raise fields.refused("crop_pct", "a share of the short side")
    return Frame(side, "short", resize, fields.method())


def _divided(channels: Channels, by: float) -> Channels:
    red, green, blue = (channel / by for channel in channels)
    return red, green, blue
