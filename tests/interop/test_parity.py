"""A published captioner here is what it is in Transformers: memory, logits, captions, tensors."""

import shutil
from functools import partial

import jax
import numpy as np
import pytest
from generated import expect
from safetensors.numpy import load_file
from showing import memories, pictures, rows
from sources import NAMES, SIDE, WORDS, photographs

from jaxcap import Captioner
from jaxcap.decode import Search
from jaxcap.decode.captions import captioner
from jaxcap.interop.convert import convert
from jaxcap.interop.export import export
from jaxcap.models.blocks import MemoryBlock
from jaxcap.models.decoder_block import DecoderBlock
from jaxcap.models.windows import WindowBlock
from jaxcap.state import flat

torch = pytest.importorskip("torch", reason="Transformers' models are written in PyTorch")
import transformers as hf  # noqa: E402
from peers import LONGEST  # noqa: E402

RNG = np.random.default_rng(1)
PHOTOS = photographs(16)
B, K, T = 3, 2, 7
IMAGES = RNG.integers(0, 256, (B, SIDE, SIDE, 3), np.uint8)
TOKENS = RNG.integers(4, WORDS - 1, (B, K, T)).astype(np.int32)
MASK = np.arange(T) < np.array([[7, 3], [1, 6], [5, 7]])[..., None]
NEAR = 2e-5

BUFFERS = {  # of Transformers 4
    "vit+gpt2": {
        "decoder.transformer.h.1.attn.bias": torch.ones(1, 1, 24, 24).tril(),
        "decoder.transformer.h.1.crossattention.masked_bias": torch.tensor(-1e4),
    },
    "vit+bert": {"decoder.bert.embeddings.position_ids": torch.arange(24)[None]},
    "vit+roberta": {"decoder.roberta.embeddings.position_ids": torch.arange(24)[None]},
    "clip+gpt2": {"encoder.vision_model.embeddings.position_ids": torch.arange(17)[None]},
    "beit+gpt2": {
        "encoder.encoder.layer.0.attention.attention.relative_position_bias."
        "relative_position_index": torch.zeros(17, 17, dtype=torch.int64)
    },
    "blip": {"text_decoder.bert.embeddings.position_ids": torch.arange(24)[None]},
    "git": {
        "git.embeddings.position_ids": torch.arange(24)[None],
        "git.image_encoder.vision_model.embeddings.position_ids": torch.arange(17)[None],
        "git.img_temperal_embedding.0": torch.zeros(1, 1, 40),
    },
}

every = pytest.mark.parametrize("name", NAMES)
BLOCKS = (DecoderBlock, MemoryBlock, WindowBlock)


def is_block(module, method):
    return isinstance(module, BLOCKS) and method == "__call__"


@partial(jax.jit, static_argnums=0)
def answer(model, variables, images, tokens):
    """(features, memory, logits, what each layer gives) of images and tokens [B, K, T]."""
    tell = partial(model.apply, variables, capture_intermediates=is_block)
    features, seen = tell(pictures(images), method="features")
    memory = model.apply(variables, memories(features), method="encode")
    logits, said = tell(memories(features), tokens)
    layers = flat(seen["intermediates"]) | flat(said["intermediates"])
    return features.tokens, memory.tokens, logits, layers


def ask(ours, images, tokens):
    return jax.tree.map(np.asarray, answer(ours.model, ours.variables, images, tokens))


def pixels_of(theirs, images):
    """Bytes as the first layer takes them there."""
    normed = (images / 255 - theirs.processor.image_mean) / theirs.processor.image_std
    return torch.from_numpy(normed.astype(np.float32)).permute(0, 3, 1, 2)


def same(ours, theirs):
    assert ours.dtype == np.float32
    assert theirs.std() > 0.3
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=NEAR)


@every
def test_memory_and_logits(name, pairs):
    """Of several streams at once, some of which are padded."""
    theirs, ours = pairs(name).theirs, pairs(name).ours
    pixels = pixels_of(theirs, IMAGES)
    tokens = np.where(MASK, TOKENS, theirs.roles["pad"]).astype(np.int32)
    features, memory, logits, _ = ask(ours, IMAGES, tokens)
    same(features, theirs.features(pixels))
    same(memory, theirs.memory(theirs.features(pixels)))
    assert logits.shape == (B, K, T, WORDS)
    for k in range(K):
        of_stream = torch.from_numpy(tokens[:, k]).long(), torch.from_numpy(MASK[:, k]).long()
        each = theirs.logits(pixels, *of_stream)
        same(logits[:, k][MASK[:, k]], each[MASK[:, k]])


@every
def test_hidden_states_of_every_layer(name, pairs):
    theirs, ours = pairs(name).theirs, pairs(name).ours
    *_, layers = ask(ours, IMAGES, TOKENS)
    found = {path: x for path, (x,) in layers.items()}
    in_order = sorted(found, key=lambda path: (path.startswith("decoder/"), path))
    for k in range(K):
        tokens = torch.from_numpy(TOKENS[:, k]).long()
        expected = theirs.hidden(pixels_of(theirs, IMAGES), tokens)
        assert len(expected) == len(found)
        for path, x in zip(in_order, expected, strict=True):
            if path.startswith("decoder/"):  # after the image where that comes first
                same(found[path][:, k], x[:, -T:])
            else:
                same(found[path].reshape(x.shape), x)  # a map, or a row


@every
@pytest.mark.parametrize("shape", [(40, 40), (24, 56)], ids=str)
def test_memory_of_another_resolution(name, shape, pairs):
    theirs, ours = pairs(name).theirs, pairs(name).ours
    images = np.random.default_rng(1).integers(0, 256, (B, *shape, 3), np.uint8)
    always = name.startswith(("beit", "dinov2", "swin"))
    how = {} if always else {"interpolate_pos_encoding": True}
    shown = pictures(images)
    features = jax.jit(partial(ours.model.apply, method="features"))(ours.variables, shown)
    same(np.asarray(features.tokens), theirs.features(pixels_of(theirs, images), **how))


@every
def test_captions_and_their_scores(name, pairs):
    theirs, ours = pairs(name).theirs, pairs(name).ours
    tokenizer = hf.AutoTokenizer.from_pretrained(pairs(name).folder / "source")
    pixels = theirs.pixels(PHOTOS)
    greedy = theirs.generate(pixels, num_beams=1)
    beams = theirs.generate(pixels, num_return_sequences=3)
    assert len({len(caption) for ((_, caption),) in greedy}) > 4
    assert len({caption for ((_, caption),) in greedy}) > len(PHOTOS) / 3
    assert sum(one[0][1] != three[0][1] for one, three in zip(greedy, beams, strict=True)) > 3
    for expected, found in ((greedy, ours(PHOTOS, beams=1)), (beams, ours(PHOTOS, num=3))):
        for captions, mine in zip(expected, found, strict=True):
            for (score, tokens), caption in zip(captions, mine, strict=True):
                assert caption.text == tokenizer.decode(tokens, skip_special_tokens=True)
                assert len(caption.tokens) == len(tokens)
                assert caption.score == pytest.approx(score, abs=NEAR)
    assert ours.config.search.max_len == LONGEST - 1


@pytest.mark.parametrize("name", ["vit+gpt2", "vit+bert", "vit+roberta", "blip", "git"])
def test_prompts_of_different_lengths(name, pairs):
    """One image at a time there, all in one batch here."""
    theirs, ours = pairs(name).theirs, pairs(name).ours
    prompts = [(), (11,), (12, 13), (14, 15, 16)]
    padded = np.full((len(prompts), 3), theirs.roles["pad"], np.int32)
    for row, prompt in zip(padded, prompts, strict=True):
        row[: len(prompt)] = prompt
    search = Search(beams=3, max_len=6, suppress=())
    batch = {
        **rows([ours.shown(photo) for photo in PHOTOS[:4]]),
        "prompt": padded,
        "prompt_len": np.array([len(prompt) for prompt in prompts], np.int32),
        "index": np.arange(4, dtype=np.int32),
    }
    found = jax.jit(captioner(ours.model, ours.tokenizer, search))(ours.variables, batch)
    how = {"max_new_tokens": 6, "num_return_sequences": 3}
    expected = [
        theirs.generate(theirs.pixels([photo]), prompt, **how)[0]
        for photo, prompt in zip(PHOTOS[:4], prompts, strict=True)
    ]
    expect(found, prompts, expected, ours.tokenizer.pad)


@pytest.mark.parametrize("name", ["blip"])
def test_a_prompt_in_words(name, pairs):
    theirs, ours = pairs(name).theirs, pairs(name).ours
    found = ours(PHOTOS, prompt="w14 w15 w16", max_len=6)
    expected = theirs.generate(theirs.pixels(PHOTOS), (14, 15, 16), max_new_tokens=6)
    tokenizer = hf.AutoTokenizer.from_pretrained(pairs(name).folder / "source")
    for ((score, tokens),), (caption,) in zip(expected, found, strict=True):
        assert caption.text == tokenizer.decode((14, 15, 16, *tokens), skip_special_tokens=True)
        assert caption.score == pytest.approx(score, abs=NEAR)


@every
def test_every_tensor_comes_back_bit_by_bit(name, pairs):
    pair = pairs(name)
    export(pair.folder / "run", pair.folder / "back")
    back, published = (
        load_file(pair.folder / of / "model.safetensors") for of in ("back", "source")
    )
    assert back.keys() == published.keys()
    for tensor, array in published.items():
        np.testing.assert_array_equal(back[tensor], array, strict=True)
    kept = load_file(pair.folder / "run/origin/model.safetensors") if pair.report.unused else {}
    assert len(kept) < len(published) / 5


@every
def test_what_torch_saved_is_the_same_captioner(name, pairs, tmp_path):
    """Under the names that the parameters have in memory, copies and old buffers among them."""
    pair = pairs(name)
    shutil.copytree(pair.folder / "source", tmp_path / "source")
    (tmp_path / "source" / "model.safetensors").unlink()
    state = {**pair.theirs.model.state_dict(), **BUFFERS.get(name, {})}
    torch.save(state, tmp_path / "source" / "pytorch_model.bin")
    report = convert(tmp_path / "source", tmp_path / "run")
    assert BUFFERS.get(name, {}).keys() <= report.unused.keys()
    found = flat(Captioner.load(tmp_path / "run").variables["params"])
    for path, array in flat(pair.ours.variables["params"]).items():
        np.testing.assert_array_equal(found[path], array, strict=True)
