"""The file of an image processor in the Hugging Face layout: its class, and its checked fields."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from PIL import Image

from jaxcap.data.frame import MAX_SIDE, Fit
from jaxcap.data.hf_special_tokens import read_object
from jaxcap.data.image import Method
from jaxcap.errors import UserError

FILE = "preprocessor_config.json"
Channels = tuple[float, float, float]
METHODS: dict[int, Method] = {
    Image.Resampling[name.upper()].value: name for name in get_args(Method)
}
SIZES: dict[Fit, tuple[str, ...]] = {"squeeze": ("height", "width"), "short": ("shortest_edge",)}

_HALF = {"image_mean": 0.5, "image_std": 0.5}
_CLIP = {
    "image_mean": (0.48145466, 0.4578275, 0.40821073),
    "image_std": (0.26862954, 0.26130258, 0.27577711),
}
_MIDDLE = {
    "size": {"shortest_edge": 224},
    "default_to_square": False,
    "do_center_crop": True,
    "crop_size": 224,
}
USUAL = {  # what a file means that says nothing, whatever the class
    "do_resize": True,
    "default_to_square": True,
    "resample": 3,
    "do_center_crop": False,
    "do_pad": False,
    "use_square_size": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
}
CLASSES: dict[str, dict[str, Any]] = {  # and what it means with this class, in Transformers 5
    "ViTImageProcessor": {**_HALF, "size": [224, 224], "resample": 2},
    "DeiTImageProcessor": {**_HALF, "size": [256, 256], "do_center_crop": True, "crop_size": 224},
    "BeitImageProcessor": {**_HALF, "size": [224, 224], "crop_size": 224},
    "CLIPImageProcessor": {**_CLIP, **_MIDDLE},
    "BitImageProcessor": {**_CLIP, **_MIDDLE},
    "SiglipImageProcessor": {**_HALF, "size": [224, 224], "default_to_square": False},
    "BlipImageProcessor": {**_CLIP, "size": [384, 384]},
    "ConvNextImageProcessor": {
        **_HALF,
        "size": {"shortest_edge": 384},
        "default_to_square": False,
        "crop_pct": 224 / 256,
    },
}
CLASS_OF_MODEL = {  # for files that name no class: by the model_type of the config.json beside them
    "vit": "ViTImageProcessor",
    "swin": "ViTImageProcessor",
    "deit": "DeiTImageProcessor",
    "beit": "BeitImageProcessor",
    "clip": "CLIPImageProcessor",
    "git": "CLIPImageProcessor",
    "bit": "BitImageProcessor",
    "dinov2": "BitImageProcessor",
    "siglip": "SiglipImageProcessor",
    "blip": "BlipImageProcessor",
    "convnext": "ConvNextImageProcessor",
    "resnet": "ConvNextImageProcessor",
}


@dataclass(frozen=True)
class Fields:
    """The fields of an image processor, each checked when it is asked for.

    Attributes:
      file: that they are from, for messages.
      kind: the class, one of CLASSES.
      values: what the file says, and what its class means by saying nothing.
    """

    file: Path
    kind: str
    values: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> "Fields":
        """Those of a folder's preprocessor_config.json, or processor_config.json.

        Raises:
          UserError: there is no such file, it is damaged, or of a class that is not known.
        """
        file, said = _find(folder)
        kind = _class(file, said)
        return cls(file, kind, {**USUAL, **CLASSES[kind], **said})

    def refused(self, name: str, expected: str) -> UserError:
        """The error of a field that cannot be followed."""
        says = f"has no {name}"
        if name in self.values:
            says = f"says {name} = {json.dumps(self.values[name])}"
        return UserError(f"{self.file} {says}; supported is {expected}.")

    def must(self, name: str, value: bool) -> None:
        """Refuse the other value."""
        if self.flag(name) is not value:
            raise self.refused(name, str(value).lower())

    def flag(self, name: str) -> bool:
        """True or false; null is false."""
        value = self.values[name]
        if value is not None and not isinstance(value, bool):
            raise self.refused(name, "true or false")
        return bool(value)

    def positive(self, name: str) -> float:
        """A number above 0."""
        value = self.values[name]
        if not _is_number(value, least=1e-6):
            raise self.refused(name, "a number from 1e-6 to 1e6")
        return float(value)

    def channels(self, name: str, positive: bool = False) -> Channels:
        """Three numbers; one is that of all three."""
        value, least = self.values[name], 1e-6 if positive else -1e6
        three = value if isinstance(value, list | tuple) else [value] * 3
        if len(three) != 3 or not all(_is_number(each, least) for each in three):
            raise self.refused(name, f"a number from {least:g} to 1e6, or a list of three")
        red, green, blue = map(float, three)
        return red, green, blue

    def method(self) -> Method:
        """The filter, which the file names by Pillow's number."""
        value = self.values["resample"]
        if type(value) is not int or value not in METHODS:
            names = ", ".join(f"{number} ({METHODS[number]})" for number in sorted(METHODS))
            raise self.refused("resample", f"one of {names}")
        return METHODS[value]

    def size(self, name: str, square: bool) -> tuple[Fit, int]:
        """How a photograph is brought to a size. A lone number is a square, or the short side."""
        value = self.values.get(name)
        if type(value) is int:
            value = [value, value] if square else {"shortest_edge": value}
        if isinstance(value, list) and len(value) == 2:
            value = {"height": value[0], "width": value[1]}
        if isinstance(value, dict):
            sides = {key: side for key, side in value.items() if side is not None}
            for fit, keys in SIZES.items():
                side: Any = sides.get(keys[0])
                fine = type(side) is int and 1 <= side <= MAX_SIDE
                if fine and sides == dict.fromkeys(keys, side):
                    return fit, side
        raise self.refused(
            name,
            "a height and a width that are the same, or a shortest_edge, as a whole number from 1 "
            f"to {MAX_SIDE}",
        )


def _find(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The file that describes the image processor, and what it says."""
    file = folder / "processor_config.json"
    said = read_object(file).get("image_processor")
    if said is None:
        file = folder / FILE
        if not file.is_file():
            raise UserError(
                f"{folder} does not say how it takes photographs: it has no {FILE}, nor a "
                "processor_config.json with an image_processor. Copy it from where the model came."
            )
        said = read_object(file)
    if not isinstance(said, dict):
        raise UserError(f"{file} says image_processor = {said!r}; expected an object.")
    return file, said


def _class(file: Path, said: dict[str, Any]) -> str:
    """The class of image processors, by the name that it has today."""
    known = f"supported are {', '.join(CLASSES)}, their old names and their fast ones"
    for field in ("image_processor_type", "feature_extractor_type"):
        if said.get(field) is not None:
            name = str(said[field]).removesuffix("Pil").removesuffix("Fast")
            name = name.replace("FeatureExtractor", "ImageProcessor")
            if name not in CLASSES:
                raise UserError(f"{file} says {field} = {said[field]!r}; {known}.")
            return name
    model = str(read_object(file.parent / "config.json").get("model_type"))
    if model not in CLASS_OF_MODEL:
        raise UserError(
            f"{file} has no image_processor_type, and no config.json beside it has a model_type "
            f"that tells it ({', '.join(CLASS_OF_MODEL)}). Add it; {known}."
        )
    return CLASS_OF_MODEL[model]


def _is_number(value: Any, least: float) -> bool:
    return type(value) in (int, float) and least <= value <= 1e6
