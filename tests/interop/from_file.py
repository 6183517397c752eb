"""Encoders as a config starts them from a file of weights."""

import jax
import numpy as np

from jaxcap.config import base
from jaxcap.interop.start import resolved, start
from jaxcap.models import ENCODERS
from jaxcap.state import flat, nested


def settled(file, **settings):
    """The config of an encoder that starts from a file."""
    config = base()
    config.model.encoder = {"init_from": str(file), **settings}
    return resolved(config, None)


def read_from(file, images, **settings):
    """The memory of images, [B, S, D], by the encoder of a file; and what became of the file."""
    config = settled(file, **settings)
    chosen = config.model.encoder.to_dict()
    del chosen["init_from"]
    encoder = ENCODERS[chosen.pop("name")](**chosen)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), images)
    trees = {kind: flat(tree) for kind, tree in shapes.items()}
    leaves = {f"encoder/{path}": leaf for tree in trees.values() for path, leaf in tree.items()}
    arrays, report = start(config, leaves, None)
    for path in report.fresh:
        assert path.endswith("/scale")  # which starts as one
        arrays[path] = np.ones(leaves[path].shape, np.float32)
    assert arrays.keys() == leaves.keys()
    variables = {
        kind: nested({path: arrays[f"encoder/{path}"] for path in tree})
        for kind, tree in trees.items()
    }
    return jax.jit(encoder.apply)(variables, images).tokens, report


def varied(rng, shape, positive=False, gain=False):
    """Random values of a tensor with which no output is near a constant."""
    values = rng.normal(0, 0.3, shape)
    if len(shape) == 4:
        values *= (8 / np.prod(shape) * max(shape)) ** 0.5
    return (0.5 + values**2 if positive else gain + values).astype(np.float32)


def publish(layers, path):
    """Variables of layers in an .h5 as Keras 1 and 2 wrote it: names in bytes, numbers for them."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, tensors in layers.items():
            group = file.create_group(layer)
            names = [f"{layer}_{i}_1:0" for i in range(len(tensors))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, tensor in zip(names, tensors, strict=True):
                group[name] = tensor
