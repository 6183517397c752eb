"""Published captioners say what PyTorch said once (`make_golden_captioners.py`), without it."""

from pathlib import Path

import jax
import numpy as np
import pytest
from showing import pictures

from jaxcap import Captioner
from jaxcap.interop.convert import convert

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["vit+gpt2", "blip", "git"])
def test_logits_captions_and_scores_are_those_written_down(name, tmp_path):
    convert(GOLDEN / name, tmp_path / "run")
    ours, expected = Captioner.load(tmp_path / "run"), np.load(GOLDEN / name / "expected.npz")
    images, tokens = expected["images"], expected["tokens"]
    logits = jax.jit(ours.model.apply)(ours.variables, pictures(images), tokens[:, None])
    np.testing.assert_allclose(logits[:, 0], expected["logits"], rtol=0, atol=2e-5)
    for i, captions in enumerate(ours(images, num=3)):
        for k, caption in enumerate(captions):
            said = [id for id in expected["captions"][i, k].tolist() if id >= 0]
            assert caption.tokens == tuple(map(ours.tokenizer.word, said))
            assert caption.text == " ".join(f"w{id}" for id in said[:-1])
            assert caption.score == pytest.approx(expected["scores"][i, k], abs=2e-5)
