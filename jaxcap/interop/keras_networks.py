"""Encoders as keras.applications publishes them."""

import re

from jaxcap.interop.family import Settings
from jaxcap.interop.table import Row, Table
from jaxcap.models.inception import convolution_paths

LEAVES = {  # here: there
    "kernel": "kernel",
    "conv_bias": "bias",
    "scale": "gamma",
    "bias": "beta",
    "mean": "moving_mean",
    "var": "moving_variance",
}
CONVOLUTION, NORM = r"(.+)/(kernel|conv_bias)", r"(.+)/(scale|bias|mean|var)"
TOP = (r"(predictions|fc1|fc2)\..*",)  # the classifier
# Two of them read blue, green and red from 0 to 255, less the means of ImageNet. The channels are
# turned around in the first kernel, and the rest is settings.
CAFFE = {
    "mean": (123.68 / 255, 116.779 / 255, 103.939 / 255),
    "std": (1 / 255, 1 / 255, 1 / 255),
}

VGG16 = Table(
    rows=(
        Row("stage_0/conv_0/kernel", "block1_conv1.kernel", flipped=True),
        Row(
            r"stage_(\d+)/conv_(\d+)/(kernel|bias)",
            lambda m: f"block{int(m[1]) + 1}_conv{int(m[2]) + 1}.{m[3]}",
        ),
    ),
    unused=TOP,
    input_first=True,
)


def _layer(path: str) -> str:
    """What the names of a convolution and its norm begin with."""
    if path == "stem":
        return "conv1"
    stage, layer, place = re.findall(r"\d+|shortcut", path)
    number = 0 if place == "shortcut" else int(place) + 1
    return f"conv{int(stage) + 2}_block{int(layer) + 1}_{number}"


RESNET = Table(
    rows=(
        Row("stem/kernel", "conv1_conv.kernel", flipped=True),
        Row(CONVOLUTION, lambda m: f"{_layer(m[1])}_conv.{LEAVES[m[2]]}"),
        Row(NORM, lambda m: f"{_layer(m[1])}_bn.{LEAVES[m[2]]}"),
    ),
    unused=TOP,
    input_first=True,
)
PLACES = {path: i for i, path in enumerate(convolution_paths())}
INCEPTION_V3 = Table(
    rows=(
        Row(CONVOLUTION, lambda m: f"conv2d_{PLACES[m[1]]}.kernel"),
        Row(NORM, lambda m: f"batch_normalization_{PLACES[m[1]]}.{LEAVES[m[2]]}"),
    ),
    fresh=(r".*/scale",),  # there is none, which is one
    unused=TOP,
    input_first=True,
)

NETWORKS: dict[str, tuple[Table, Settings]] = {  # and the settings that differ from the defaults
    "vgg16": (VGG16, CAFFE),
    "resnet": (
        RESNET,
        {**CAFFE, "halve_early": True, "conv_bias": True, "epsilon": 1.001e-5},
    ),
    "inception_v3": (INCEPTION_V3, {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}),
}
