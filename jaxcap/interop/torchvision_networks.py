"""Encoders as torchvision publishes them."""

import re

from jaxcap.interop.family import Settings
from jaxcap.interop.table import Row, Table
from jaxcap.models.inception import convolution_paths
from jaxcap.models.pixels import IMAGENET_MEAN, IMAGENET_STD

IMAGENET = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
COUNTERS = r".*\.num_batches_tracked"

FEATURES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # by stage and convolution
VGG16 = Table(
    rows=tuple(
        Row(f"stage_{i}/conv_{j}", f"features.{number}")
        for i, numbers in enumerate(FEATURES)
        for j, number in enumerate(numbers)
    ),
    unused=(r"classifier\..*",),
)

LAYER = r"layer_(\d+)_(\d+)"


def _layer(match: re.Match[str]) -> str:
    return f"layer{int(match[1]) + 1}.{match[2]}"


RESNET = Table(
    rows=(
        Row("stem/kernel", "conv1.weight"),
        Row("stem", "bn1"),
        Row(rf"{LAYER}/conv_(\d+)/kernel", lambda m: f"{_layer(m)}.conv{int(m[3]) + 1}.weight"),
        Row(rf"{LAYER}/conv_(\d+)", lambda m: f"{_layer(m)}.bn{int(m[3]) + 1}"),
        Row(rf"{LAYER}/shortcut/kernel", lambda m: f"{_layer(m)}.downsample.0.weight"),
        Row(rf"{LAYER}/shortcut", lambda m: f"{_layer(m)}.downsample.1"),
    ),
    unused=(COUNTERS, r"fc\..*"),
)

POOL = "branch_pool"
WIDE = ("branch1x1", "branch5x5_1", "branch5x5_2", *(f"branch3x3dbl_{i}" for i in (1, 2, 3)), POOL)
FACTORED = (
    "branch1x1",
    *(f"branch7x7_{i}" for i in (1, 2, 3)),
    *(f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5)),
    POOL,
)
FORKED = (
    "branch1x1",
    *(f"branch3x3_{i}" for i in ("1", "2a", "2b")),
    *(f"branch3x3dbl_{i}" for i in ("1", "2", "3a", "3b")),
    POOL,
)
BLOCKS = {
    "5b": WIDE,
    "5c": WIDE,
    "5d": WIDE,
    "6a": ("branch3x3", *(f"branch3x3dbl_{i}" for i in (1, 2, 3))),
    "6b": FACTORED,
    "6c": FACTORED,
    "6d": FACTORED,
    "6e": FACTORED,
    "7a": ("branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{i}" for i in (1, 2, 3, 4))),
    "7b": FORKED,
    "7c": FORKED,
}
STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
MODULES = dict(
    zip(
        convolution_paths(),
        (
            *(f"Conv2d_{name}" for name in STEM),
            *(f"Mixed_{block}.{name}" for block, names in BLOCKS.items() for name in names),
        ),
        strict=True,
    )
)
INCEPTION_V3 = Table(
    rows=(
        Row("(.+)/kernel", lambda m: f"{MODULES[m[1]]}.conv.weight"),
        Row(r"(.+/conv_\d+)", lambda m: f"{MODULES[m[1]]}.bn"),
    ),
    unused=(COUNTERS, r"AuxLogits\..*", r"fc\..*"),
)

NETWORKS: dict[str, tuple[Table, Settings]] = {  # with the settings that its weights are for
    "vgg16": (VGG16, IMAGENET),
    "resnet": (RESNET, IMAGENET),
    # Its weights are those of TensorFlow, and it is shown pixels as that has them.
    "inception_v3": (
        INCEPTION_V3,
        {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "zeros_count": True},
    ),
}
