"""A source's photographs become what Transformers' image processors make of them, to the byte."""

import contextlib
import json

import numpy as np
import pytest
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jaxcap.data.frame import MAX_SIDE, Frame
from jaxcap.errors import UserError
from jaxcap.interop.preprocessor import Preprocessor, read_preprocessor, write_preprocessor
from jaxcap.interop.preprocessor_file import CLASSES, USUAL

# (width, height): both orders, square, smaller than any target, of one pixel, and just off it.
SIZES = [(40, 30), (30, 41), (33, 33), (7, 9), (1, 50), (50, 1), (1, 1), (21, 20), (400, 297)]
EDGE = "shortest_edge"
CASES = [
    *((name, {}) for name in CLASSES),
    # As files were written years ago: a lone number, and an old name of the class.
    ("ViTImageProcessor", {"feature_extractor_type": "ViTFeatureExtractor", "size": 20}),
    ("CLIPImageProcessor", {"size": 20, "crop_size": 20, "feature_extractor_type": "CLIPFe"}),
    ("DeiTImageProcessor", {"size": 23, "crop_size": 20}),
    ("BeitImageProcessor", {"size": 20, "crop_size": 20, "do_center_crop": False, "resample": 2}),
    ("BeitImageProcessor", {"size": 21, "crop_size": 20, "do_center_crop": True}),
    ("BeitImageProcessor", {"do_reduce_labels": True, "size": 20}),
    ("ConvNextImageProcessor", {"size": 20, "crop_pct": 0.875}),
    # As they are written today.
    ("ViTImageProcessor", {"size": {"height": 20, "width": 20}, "resample": 3}),
    ("SiglipImageProcessor", {"size": {"height": 20, "width": 20}}),
    ("BlipImageProcessor", {"size": {"height": 21, "width": 21}, "do_pad": False}),
    ("BitImageProcessor", {"size": {EDGE: 23}, "crop_size": {"height": 20, "width": 20}}),
    ("CLIPImageProcessor", {"size": {"height": 24, "width": 24}, "crop_size": 21}),
    ("CLIPImageProcessor", {"size": [20, 20], "do_center_crop": False}),
    ("CLIPImageProcessor", {"size": {EDGE: 20, "longest_edge": None}, "crop_size": [20, 20]}),
    ("CLIPImageProcessor", {"default_to_square": True, "size": 22, "crop_size": 20}),
    ("ViTImageProcessor", {"size": 22, "do_center_crop": True, "crop_size": 20}),
    ("SiglipImageProcessor", {"do_center_crop": None, "crop_size": None, "do_pad": None}),
    ("CLIPImageProcessor", {"size": [20, 20], "do_center_crop": None, "do_normalize": None}),
    ("BlipImageProcessor", {"size": 20, "do_rescale": None, "rescale_factor": None}),
    # Crops larger than what they are cut from, by even and odd numbers.
    ("DeiTImageProcessor", {"size": 15, "crop_size": 20}),
    ("DeiTImageProcessor", {"size": 16, "crop_size": 20}),
    ("CLIPImageProcessor", {"size": 15, "crop_size": 20}),
    ("CLIPImageProcessor", {"size": 14, "crop_size": 21}),
    # A ConvNext and a ResNet cut from small squares, and show all of the photograph in large ones.
    ("ConvNextImageProcessor", {"size": {EDGE: 20}, "crop_pct": 0.95}),
    ("ConvNextImageProcessor", {"size": {EDGE: 20}, "crop_pct": 1}),
    ("ConvNextImageProcessor", {"size": {EDGE: 20}, "crop_pct": 1.3}),
    ("ConvNextImageProcessor", {"size": {EDGE: 383}}),
    ("ConvNextImageProcessor", {"size": {EDGE: 400}, "crop_pct": 0.5}),
    # What is done with the bytes.
    ("ViTImageProcessor", {"size": 20, "do_normalize": False}),
    ("ViTImageProcessor", {"size": 20, "rescale_factor": 1 / 127.5, "image_mean": [1, 1, 0.5]}),
    ("ViTImageProcessor", {"size": 20, "do_rescale": False, "image_mean": 127, "image_std": 128}),
    ("ViTImageProcessor", {"size": 20, "do_rescale": False, "do_normalize": False}),
    *(("CLIPImageProcessor", {"size": 23, "crop_size": 20, "resample": n}) for n in range(6)),
]


def write(folder, content, name="preprocessor_config.json"):
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def noise(width, height, channels=3):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels)


def assert_same(theirs, ours, image, rgb):
    """Within rounding of float32; a byte that differs by one would be 4e-3."""
    pixels = ours.frame(rgb).astype(np.float64)
    mine = (pixels / 255 - ours.mean) / ours.std
    expected = theirs(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    assert mine.shape == expected.shape
    assert (np.abs(mine - expected) * ours.std).max() <= 2e-6


@pytest.mark.parametrize(("name", "content"), CASES)
def test_the_pixels_are_those_of_transformers(name, content, tmp_path):
    ours = read_preprocessor(write(tmp_path, {"image_processor_type": name, **content}))
    theirs = getattr(transformers, f"{name}Pil").from_pretrained(tmp_path)
    for size in SIZES:
        image = noise(*size)
        assert_same(theirs, ours, image, image)


@pytest.mark.parametrize(
    "name", ["CLIPImageProcessor", "SiglipImageProcessor", "BlipImageProcessor"]
)
@pytest.mark.parametrize("channels", [1, 2, 4], ids=["grey", "grey-alpha", "alpha"])
def test_grey_and_transparent_pictures_are_taken_alike(name, channels, tmp_path):
    from jaxcap.data.image import upright_rgb

    ours = read_preprocessor(write(tmp_path, {"image_processor_type": name}))
    theirs = getattr(transformers, f"{name}Pil").from_pretrained(tmp_path)
    image = noise(30, 20, channels)
    assert_same(theirs, ours, image, upright_rgb(image))


@pytest.mark.parametrize("name", CLASSES)
def test_old_fast_and_pillow_names_are_of_the_same_class(name, tmp_path):
    names = [name, f"{name}Fast", f"{name}Pil", name.replace("ImageProcessor", "FeatureExtractor")]
    read = []
    for field in ("image_processor_type", "feature_extractor_type"):
        read += [read_preprocessor(write(tmp_path, {field: each})) for each in names]
    assert len(set(read)) == 1


@pytest.mark.parametrize(
    ("model", "name"),
    [("vit", "ViT"), ("git", "CLIP"), ("dinov2", "Bit"), ("resnet", "ConvNext"), ("blip", "Blip")],
)
def test_a_file_without_a_class_is_that_of_the_model_beside_it(model, name, tmp_path):
    write(tmp_path, {"model_type": model}, "config.json")
    read = read_preprocessor(write(tmp_path, {"resample": 0}))
    named = {"image_processor_type": f"{name}ImageProcessor", "resample": 0}
    assert read == read_preprocessor(write(tmp_path, named))


def test_the_class_of_each_model_is_the_one_that_transformers_takes():
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    from jaxcap.interop.preprocessor_file import CLASS_OF_MODEL

    for model, name in CLASS_OF_MODEL.items():
        assert IMAGE_PROCESSOR_MAPPING_NAMES[model]["pil"] == f"{name}Pil"


def test_an_image_processor_within_a_processor_comes_first(tmp_path):
    inner = {"image_processor_type": "CLIPImageProcessorFast", "size": 24, "crop_size": 20}
    write(tmp_path, {"image_processor_type": "ViTImageProcessor"})
    write(tmp_path, {"processor_class": "GitProcessor"}, "processor_config.json")
    assert read_preprocessor(tmp_path).frame == Frame(224, resample="bilinear")
    write(tmp_path, {"image_processor": inner}, "processor_config.json")
    ours = read_preprocessor(tmp_path)
    assert ours.frame == Frame(20, "short", 24)
    theirs = transformers.CLIPImageProcessorPil.from_pretrained(tmp_path)
    assert_same(theirs, ours, noise(30, 41), noise(30, 41))


sides = st.integers(1, MAX_SIDE)
frames = st.builds(
    Frame,
    sides,
    st.sampled_from(["squeeze", "short"]),
    st.just(0) | sides,
    st.sampled_from(["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]),
)


def three(least):
    return st.tuples(*[st.floats(least, 1e3)] * 3)


@given(st.builds(Preprocessor, frames, three(-1e3), three(1e-3)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_read(tmp_path, preprocessor):
    write_preprocessor(preprocessor, tmp_path)
    assert read_preprocessor(tmp_path) == preprocessor


@pytest.mark.parametrize(
    "frame",
    [Frame(20), Frame(20, resize=23), Frame(20, "short"), Frame(20, "short", 15, "lanczos")],
)
def test_transformers_reads_what_was_written(frame, tmp_path):
    ours = Preprocessor(frame, (0.1, 0.5, 0.9), (0.25, 0.5, 1.0))
    write_preprocessor(ours, tmp_path)
    theirs = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    for size in SIZES:
        assert_same(theirs, ours, noise(*size), noise(*size))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ViT", {"do_resize": False}, "says do_resize = false; supported is true"),
        (
            "ViT",
            {"size": {"height": 20, "width": 30}},
            'size = {"height": 20, "width": 30}; .*same',
        ),
        ("ViT", {"size": {"longest_edge": 20}}, "size = .*; supported .* or a shortest_edge"),
        ("ViT", {"size": {EDGE: 20}}, "size = .*a shortest_edge with do_center_crop = true"),
        ("CLIP", {"size": {EDGE: 20, "longest_edge": 30}}, "longest_edge.*; supported"),
        ("CLIP", {"do_center_crop": False}, "size = .*a shortest_edge with do_center_crop = true"),
        ("CLIP", {"crop_size": {"height": 20, "width": 30}}, "crop_size = .*that are the same"),
        ("CLIP", {"crop_size": {EDGE: 20}}, "crop_size = .*that are the same"),
        ("CLIP", {"use_square_size": True}, "use_square_size = true; supported is false"),
        ("Siglip", {"size": 20}, "size = 20; .*a shortest_edge with do_center_crop"),
        ("ViT", {"do_center_crop": True}, "has no crop_size"),
        ("ViT", {"do_pad": True}, "do_pad = true; supported is false"),
        ("ConvNext", {"size": {"height": 20, "width": 20}}, "size = .*shortest_edge, for this"),
        ("ConvNext", {"do_center_crop": True}, "do_center_crop = true; supported is false"),
        ("ConvNext", {"size": 20, "crop_pct": 1e3}, "crop_pct = 1000.0; .*share"),
        ("ViT", {"size": 0}, "size = 0; .*from 1 to"),
        ("ViT", {"size": True}, "size = true; supported"),
        ("ViT", {"size": 20.5}, "size = 20.5; supported"),
        ("ViT", {"size": "large"}, 'size = "large"; supported'),
        ("ViT", {"resample": 6}, "resample = 6; .*0 .nearest., 1 .lanczos."),
        ("ViT", {"resample": "bicubic"}, 'resample = "bicubic"; .*0 .nearest., 1 .lanczos.'),
        ("ViT", {"image_mean": None}, "image_mean = null; .*list of three"),
        ("ViT", {"size": None}, "size = null; supported"),
        ("ViT", {"image_mean": [0.5, 0.5]}, "image_mean = .*list of three"),
        ("ViT", {"image_std": [0.5, 0.5, 0]}, "image_std = .*from 1e-06"),
        ("ViT", {"image_mean": [float("nan")] * 3}, "image_mean = .NaN.*list of three"),
        ("ViT", {"rescale_factor": 0}, "rescale_factor = 0; .*number"),
        ("ViT", {"do_normalize": 1}, "do_normalize = 1; .*true or false"),
        ("Swin2SR", {}, "type = .Swin2SRImageProcessor.; supported are ViTImageProcessor, .*fast"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_file_and_field(name, content, message, tmp_path):
    write(tmp_path, {"image_processor_type": f"{name}ImageProcessor", **content})
    with pytest.raises(UserError, match=message) as told:
        read_preprocessor(tmp_path)
    assert str(told.value).startswith(str(tmp_path / "preprocessor_config.json"))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("preprocessor_config.json", "", "cannot be read as JSON"),
        ("preprocessor_config.json", '{"size": 224', "cannot be read as JSON"),
        ("preprocessor_config.json", "[224]", "holds a JSON list; expected an object"),
        ("preprocessor_config.json", "{}", "has no image_processor_type, and no config.json"),
        ("processor_config.json", '{"image_processor": []}', "image_processor = .*an object"),
        ("processor_config.json", '{"image_processor": {}}', "processor_config.json has no image"),
        ("processor_config.json", "{}", "has no preprocessor_config.json, nor a processor_config"),
        ("other.json", "{}", "has no preprocessor_config.json"),
    ],
)
def test_a_damaged_file_is_one_sentence(file, text, message, tmp_path):
    (tmp_path / file).write_text(text)
    with pytest.raises(UserError, match=message):
        read_preprocessor(tmp_path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([0, 3, 20, EDGE, ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["height", "width", EDGE]), inner)
    ),
)
fields = st.sampled_from(sorted({"crop_size", "crop_pct", *USUAL, *CLASSES["CLIPImageProcessor"]}))


@given(st.sampled_from(sorted(CLASSES)), st.dictionaries(fields, values, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_says_is_a_preprocessor_or_a_sentence(tmp_path, name, content):
    write(tmp_path, {"image_processor_type": name, **content})
    with contextlib.suppress(UserError):
        read = read_preprocessor(tmp_path)
        assert 1 <= read.frame.image_size <= MAX_SIDE
        assert 1 <= read.frame.side <= MAX_SIDE
        assert np.isfinite([*read.mean, *read.std]).all()
        assert min(read.std) > 0
