"""A captioner of real size, as Transformers builds it by default: ViT-B/16 with GPT-2."""

import jax
import numpy as np
import pytest
from showing import rows
from sources import photographs, roles_of, save_tokenizer

from jaxcap import Captioner
from jaxcap.interop.convert import convert
from jaxcap.models.shown import Shown

torch = pytest.importorskip("torch", reason="Transformers' models are written in PyTorch")
import transformers as hf  # noqa: E402

NAME, WORDS = "vit+gpt2", 50257


def network():
    """Random, at a scale where its 12 + 12 layers all matter."""
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        hf.ViTConfig(), hf.GPT2Config()
    )
    model = hf.VisionEncoderDecoderModel(config).requires_grad_(False).eval()
    random = torch.Generator().manual_seed(0)
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            weight.normal_(0, 0.03, generator=random)
            if isinstance(module, torch.nn.LayerNorm) and name == "weight":
                weight += 1
    ids = {f"{role}_token_id": id for role, id in roles_of(NAME).items()}
    ids["decoder_start_token_id"] = roles_of(NAME)["bos"]
    model.generation_config = hf.GenerationConfig(num_beams=4, max_length=8, **ids)
    return model


def test_logits_and_captions_are_theirs(tmp_path):
    theirs, processor = network(), hf.ViTImageProcessorPil()
    theirs.save_pretrained(tmp_path / "source")
    processor.save_pretrained(tmp_path / "source")
    save_tokenizer(NAME, tmp_path / "source", WORDS)
    convert(tmp_path / "source", tmp_path / "run")
    ours, photos = Captioner.load(tmp_path / "run"), photographs(1)
    pixels = processor(photos, return_tensors="pt").pixel_values
    tokens = np.random.default_rng(0).integers(0, WORDS, (1, 5)).astype(np.int32)

    shown = Shown.of(rows([ours.shown(photo) for photo in photos]))
    logits = jax.jit(ours.model.apply)(ours.variables, shown, tokens[:, None])[:, 0]
    expected = theirs(pixel_values=pixels, decoder_input_ids=torch.from_numpy(tokens).long()).logits
    assert expected.std() > 0.5
    np.testing.assert_allclose(logits, expected.numpy(), rtol=0, atol=1e-4)

    found = theirs.generate(
        pixels, num_return_sequences=4, return_dict_in_generate=True, output_scores=True
    )
    captions = [caption for each in ours(photos, num=4) for caption in each]
    for caption, row, score in zip(captions, found.sequences, found.sequences_scores, strict=True):
        assert caption.tokens == tuple(map(ours.tokenizer.word, row[1:].tolist()))
        assert caption.score == pytest.approx(float(score), abs=1e-4)
