"""Swin and ResNet give the memory that Transformers' own networks give, from the same files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.interop.captioners import blueprint, vision_family
from jaxcap.interop.resnet import RESNET
from jaxcap.interop.source import open_folder
from jaxcap.interop.swin import SWIN
from jaxcap.interop.table import load, store
from jaxcap.models import ENCODERS
from jaxcap.state import flat, nested

MAP = {"embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4], "window_size": 3}
STAGES = {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [2, 2]}
NARROW = {"embedding_size": 8, "hidden_sizes": [8, 16, 32, 64]}  # the first stage is as the stem
HIGH = {"embed_dim": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 4, 8], "window_size": 12}
OTHER = {"qkv_bias": False, "hidden_act": "relu", "layer_norm_eps": 1e-2, "mlp_ratio": 2.5}
CASES = [  # model_type, config, height and width of the images
    ("swin", {**MAP, "depths": [1, 1]}, (24, 24)),  # 6 x 6 cells: nothing shifted, nothing padded
    ("swin", MAP, (48, 72)),  # 12 x 18: shifted
    ("swin", MAP, (37, 50)),  # 10 x 13: shifted and padded, in pixels and cells and mergers
    ("swin", {**MAP, "window_size": 4}, (32, 56)),  # 4 x 7 at last: the window is as high as it
    ("swin", {**MAP, "patch_size": 2, **OTHER}, (16, 20)),
    ("swin", {**HIGH, "image_size": 384}, (384, 384)),  # as published for 384 pixels, but narrow
    ("resnet", {**STAGES, "layer_type": "basic"}, (32, 48)),
    ("resnet", {**STAGES, "layer_type": "basic", "downsample_in_first_stage": True}, (33, 46)),
    ("resnet", STAGES, (33, 46)),
    ("resnet", {**STAGES, "downsample_in_bottleneck": True}, (40, 31)),
    ("resnet", {**NARROW, "layer_type": "basic", "depths": [2, 2, 2, 2]}, (64, 64)),  # 18 layers
    ("resnet", {**NARROW, "layer_type": "basic", "depths": [3, 4, 6, 3]}, (64, 64)),  # 34
    ("resnet", {**NARROW, "hidden_sizes": [32, 64, 128, 256], "depths": [3, 4, 6, 3]}, (64, 64)),
]


@pytest.fixture(params=CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def published(request, tmp_path):
    """A directory with random weights; images; and the memory of them there."""
    torch = pytest.importorskip("torch")
    import transformers

    kind, fields, size = request.param
    rng = np.random.default_rng(0)
    config = transformers.AutoConfig.for_model(kind, **fields)
    network = transformers.AutoModel.from_config(config).eval()
    images = rng.integers(0, 256, (2, *size, 3), np.uint8)
    mean, std = transformers.image_utils.IMAGENET_DEFAULT_MEAN, (0.229, 0.224, 0.225)
    pixels = ((images / 255 - mean) / std).astype(np.float32).transpose(0, 3, 1, 2)
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.dtype == torch.float32:
                tensor.copy_(torch.from_numpy(random(rng, name, tuple(tensor.shape))))
        memory = network(torch.from_numpy(pixels)).last_hidden_state
    if memory.ndim == 4:
        memory = memory.flatten(2).mT
    network.save_pretrained(tmp_path)
    return tmp_path, images, memory.numpy()


def random(rng, name, shape):
    """Values with which no output is near a constant, and no leaf without effect."""
    values = rng.normal(0, 0.3, shape)
    if name.endswith("running_var"):
        values = 0.5 + values**2
    elif len(shape) == 1 and name.endswith("weight"):
        values = 1 + values
    elif len(shape) == 4:
        values *= (10 / np.prod(shape[1:])) ** 0.5
    return values.astype(np.float32)


def read(folder):
    """The encoder of a directory; its arrays by path; the source; its family; the report."""
    source = open_folder(folder)
    family, config = vision_family(source.config, "test")
    settings = family.settings(config, "test")
    assert family.settings(family.config(settings), "test") == settings
    encoder = ENCODERS[settings["name"]](
        **{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if k != "name"}
    )
    image = jax.ShapeDtypeStruct((1, 48, 48, 3), jnp.uint8)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), image)
    leaves = {path: leaf for tree in shapes.values() for path, leaf in flat(tree).items()}
    arrays, report = load(source.tensors, leaves, family.table, 0, "test")
    variables = {
        kind: nested({path: arrays[path] for path in flat(tree)}) for kind, tree in shapes.items()
    }
    return encoder, variables, arrays, source, family, report


def test_the_memory_is_that_of_transformers_and_the_tensors_come_back(published):
    folder, images, expected = published
    encoder, variables, arrays, source, family, report = read(folder)
    memory = jax.jit(encoder.apply)(variables, images)
    assert expected.std() > 0.5
    great = max(1, expected.std())  # what is added up in deep networks
    np.testing.assert_allclose(memory.tokens, expected, rtol=1e-4, atol=1e-4 * great)
    assert memory.mask.all()

    back = store(arrays, family.table, 0)
    assert not report.fresh
    assert all(name.endswith("num_batches_tracked") for name in report.unused)
    assert back.keys() | report.unused.keys() == set(source.tensors)
    for name, array in back.items():
        np.testing.assert_array_equal(array, source.tensors[name], strict=True)


@pytest.mark.parametrize(("kind", "fields"), [("swin", MAP), ("resnet", STAGES)])
def test_an_encoder_behind_a_classifier_is_read(kind, fields, tmp_path):
    pytest.importorskip("torch")
    import transformers

    config = transformers.AutoConfig.for_model(kind, **fields)
    network = transformers.AutoModelForImageClassification.from_config(config)
    network.save_pretrained(tmp_path)
    report = read(tmp_path)[-1]
    left = {name for name in report.unused if not name.endswith("num_batches_tracked")}
    assert {name.split(".")[0] for name in left} == {"classifier"}


@pytest.mark.parametrize(
    ("family", "changed", "message"),
    [
        (SWIN, {"use_absolute_embeddings": True}, "use_absolute_embeddings = True"),
        (SWIN, {"num_channels": 1}, "num_channels = 1"),
        (SWIN, {"hidden_act": "selu"}, "activation 'selu' is not known"),
        (RESNET, {"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
        (RESNET, {"num_channels": 1}, "num_channels = 1"),
    ],
)
def test_what_is_not_built_here_is_refused(family, changed, message):
    from transformers import AutoConfig

    config = {**AutoConfig.for_model(family.model_type).to_dict(), **changed}
    with pytest.raises(UserError, match=message):
        family.settings(config, "it")


def test_a_resnet_cannot_be_half_of_a_pair():
    config = {
        "model_type": "vision-encoder-decoder",
        "encoder": {"model_type": "resnet"},
        "decoder": {"model_type": "gpt2"},
    }
    with pytest.raises(UserError, match=r"resnet cannot be the encoder .* gives a map"):
        blueprint(config, {}, "it")
