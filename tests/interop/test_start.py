"""`init_from`: what an encoder and a decoder take of published networks, and what is refused."""

import json
import shutil

import jax
import numpy as np
import pytest
import transformers as hf
from published import photo_table, publish_part
from sources import SEES, WORDS
from starting import one_device, starting

from jaxcap.config import base
from jaxcap.data.sources import open_source
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.interop.start import resolved, start
from jaxcap.interop.weight_files import read_weights, write_weights
from jaxcap.memory_store import memory_store
from jaxcap.models import build
from jaxcap.models.shown import Shown
from jaxcap.run import Run
from jaxcap.state import init_variables
from jaxcap.train import train


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A directory of sources, vit and gpt2; not to be written to."""
    folder = tmp_path_factory.mktemp("sources")
    for name, role in (("vit", "encoder"), ("gpt2", "decoder")):
        publish_part("vit+gpt2", role, folder / name)
    return folder


def started(config):
    """What the parts of a resolved config start with; the tokenizer has no part in it."""
    model = build(config.model, WORDS, config.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    return start(config, params, None)


def test_settings_of_the_config_stay(sources):
    config = starting(sources, name="swin", dropout=0.25, mean=(0.1, 0.2, 0.3), std=(1, 1, 1))
    config.model.decoder.epsilon = 0.5
    found = resolved(config, None).model
    assert (found.encoder.name, found.decoder.name) == ("vit", "transformer")  # the sources'
    assert (found.encoder.width, found.encoder.dropout) == (32, 0.25)
    assert (found.encoder.mean, found.decoder.epsilon) == ((0.1, 0.2, 0.3), 0.5)
    assert (found.decoder.mlp_width, found.vocab_size) == (128, WORDS)
    assert "width" not in config.model.encoder  # nothing is changed in it


def test_a_prefix_needs_nothing_that_gpt2_lacks(sources):
    """In the manner of ClipCap: all of the decoder is the source's; attention to images is not."""
    for fusion, lacks in (("prefix", False), ("cross", True)):
        config = starting(sources)
        config.model.decoder.fusion = fusion
        found, report = started(resolved(config, None))
        fresh = {path for path in report.fresh if path.startswith("decoder/")}
        assert all("/cross_" in path for path in fresh)
        assert bool(fresh) == lacks
        assert any(path.startswith("decoder/layers_0/self_attention/") for path in found)


def test_an_encoder_is_shown_pixels_as_its_source_has_them(sources, tmp_path):
    assert resolved(starting(sources), None).model.encoder.mean == (0.5, 0.5, 0.5)
    shutil.copytree(sources / "vit", tmp_path / "vit")
    (tmp_path / "vit" / "preprocessor_config.json").unlink()
    config = starting(sources, tmp_path / "vit")
    reason = r"no preprocessor_config.json.* Or set model.encoder.mean and model.encoder.std"
    with pytest.raises(UserError, match=reason):
        resolved(config, None)
    config.model.encoder.mean = (0.5, 0.5, 0.5)
    with pytest.raises(UserError, match=reason):
        resolved(config, None)
    config.model.encoder.std = (0.2, 0.2, 0.2)
    assert resolved(config, None).model.encoder.std == (0.2, 0.2, 0.2)


def test_other_resolutions_have_the_places_of_the_source(sources):
    config = starting(sources)
    config.data.image_size = 48
    config = resolved(config, None)
    arrays, _ = started(config)
    places = read_weights(sources / "vit")["embeddings.position_embeddings"]
    np.testing.assert_array_equal(arrays["encoder/positions"], places[0], strict=True)
    model = build(config.model, WORDS, 9)

    def tokens(shown):
        return model.init_with_output(jax.random.key(0), shown, method="features")[0].tokens

    memory = jax.eval_shape(tokens, Shown.blank(48))
    assert memory.shape == (1, 1 + 6 * 6, 32)


def test_half_of_an_image_text_pair_and_a_bert_without_its_head(sources, tmp_path):
    """As they are published: the other half is of no use, and the head is fresh."""
    tensors = publish_part("clip+gpt2", "encoder", tmp_path / "clip")
    whole = {f"vision_model.{name}": array for name, array in tensors.items()}
    ones = np.ones(2, np.float32)
    others = {"text_model.final_layer_norm.bias": ones, "visual_projection.weight": ones}
    write_weights(tmp_path / "clip", whole | others)
    hf.CLIPConfig(vision_config=SEES).save_pretrained(tmp_path / "clip")
    tensors = publish_part("vit+bert", "decoder", tmp_path / "bert")
    body = {name.removeprefix("bert."): tensors[name] for name in tensors if "cls" not in name}
    write_weights(tmp_path / "bert", body)
    config = resolved(starting(tmp_path, "clip", "bert"), None)
    arrays, report = started(config)
    assert report.unused.keys() == others.keys()
    head = {path for path in report.fresh if "/cross_" not in path}
    parts = ("bias", "dense/bias", "dense/kernel", "dense_norm/bias", "dense_norm/scale")
    assert head == {f"decoder/words/{part}" for part in parts}
    assert len(arrays) == len(report.loaded) == len(whole) + len(body)
    assert not head & arrays.keys()


def test_a_run_goes_on_when_its_sources_are_gone(sources, tmp_path, monkeypatch, capsys):
    """Settings, weights and the folder of kept memories are those that it was begun with."""
    monkeypatch.setattr("jaxcap.train._loop", lambda *_: None)
    monkeypatch.setattr("jaxcap.experiment.make_mesh", lambda _: one_device())
    shutil.copytree(sources, tmp_path / "sources")
    config = starting(tmp_path / "sources")
    config.data.source = photo_table(tmp_path / "photos")
    config.optim.parts = (("bias", 1.0), ("", 0.0))
    train(config, tmp_path / "run")
    loaded = len(started(resolved(config, None))[0])
    assert f"Started   {loaded} parameters loaded" in capsys.readouterr().out
    run = Run(tmp_path / "run")
    begun = run.config()
    shutil.rmtree(tmp_path / "sources")
    train(config, tmp_path / "run")
    said = capsys.readouterr().out
    assert "Going on from step 0" in said
    assert "Started" not in said
    assert run.config() == begun
    found = Experiment.open(config, run)
    photos = open_source(config.data.source, "train")
    folders = [memory_store(each, photos).folder for each in (found.config, begun)]
    assert folders[0] == folders[1]
    with pytest.raises(UserError, match="sources/vit holds no network"):
        train(config, tmp_path / "other")


def test_kept_memories_are_of_a_source_and_no_seed(sources, tmp_path):
    photos = open_source(photo_table(tmp_path / "photos"), "train")
    shutil.copytree(sources / "vit", tmp_path / "vit")

    def folder(seed, encoder):
        config = starting(sources, encoder)
        config.seed = seed
        return memory_store(resolved(config, None), photos).folder

    assert folder(0, "vit") == folder(1, "vit")
    assert folder(0, "vit") != folder(0, tmp_path / "vit")


@pytest.mark.parametrize(
    ("encoder", "decoder", "reason"),
    [
        ("nowhere", "gpt2", "nowhere holds no network in the Hugging Face layout"),
        ("gpt2", "gpt2", "is of the type 'gpt2', which is not known here as an encoder; known are"),
        ("vit", "vit", "is of the type 'vit', which is not known here as a decoder; known are"),
    ],
)
def test_what_is_no_encoder_or_decoder(encoder, decoder, reason, sources):
    with pytest.raises(UserError, match=reason):
        resolved(starting(sources, encoder, decoder), None)


def test_there_are_packages_of_some_encoders_only():
    config = base()
    config.model.encoder.init_from = "imagenet"
    with pytest.raises(UserError, match="no weights of the encoder 'vit' in a package"):
        start(config, {}, None)


def test_a_decoder_needs_its_own_words_and_its_own_shape(sources):
    config = starting(sources)
    config.tokenizer.kind = "word"
    reason = r"gpt2, which knows words by ids of its own, .* 'word'. Set tokenizer.kind='hf' and "
    with pytest.raises(UserError, match=reason):
        resolved(config, None)
    config = starting(sources)
    config.model.decoder.mlp_width = 16
    config = resolved(config, None)
    with pytest.raises(
        UserError, match=r"c_proj.weight' has shape \[128, 32\]; expected \[16, 32\]"
    ):
        started(config)


def test_weights_that_are_damaged_or_of_another_network(sources, tmp_path):
    shutil.copytree(sources / "vit", tmp_path / "vit")
    tensors = dict(read_weights(tmp_path / "vit"))
    del tensors["layernorm.weight"]
    write_weights(tmp_path / "vit", tensors)
    config = resolved(starting(sources, tmp_path / "vit"), None)
    with pytest.raises(UserError, match=r"The encoder of .*vit has no tensor 'layernorm.weight'"):
        started(config)
    (tmp_path / "vit" / "config.json").write_text(json.dumps({"model_type": "t5x"}))
    with pytest.raises(UserError, match=r"not of a network that Transformers knows .*'t5x'"):
        resolved(starting(sources, tmp_path / "vit"), None)
