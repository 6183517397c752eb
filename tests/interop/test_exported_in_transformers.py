"""Transformers loads what an export wrote, and says what the run says: captions and scores."""

import contextlib
import io
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from published import MADE, made, publish, train_at_random
from sources import NAMES, SIDE, photographs

from jaxcap import Captioner
from jaxcap.experiment import Experiment
from jaxcap.interop.convert import convert
from jaxcap.interop.export import export
from jaxcap.run import Run

torch = pytest.importorskip("torch", reason="Transformers' models are written in PyTorch")
import transformers as hf  # noqa: E402

torch.set_num_threads(1)  # the tests share the machine
FINETUNE = Path(__file__).parents[2] / "configs" / "finetune.py"
PHOTOS = photographs(8)
NUM = 3
PAIR = hf.VisionEncoderDecoderModel
CLASSES = {"blip": hf.BlipForConditionalGeneration, "git": hf.GitForCausalLM}


def opened(folder, kind=PAIR):
    """(the model of a folder, its tokenizer, the photographs as it takes them)."""
    model, told = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(told.values()), told
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    shown = hf.AutoImageProcessor.from_pretrained(folder)
    pixels = shown(PHOTOS, return_tensors="pt").pixel_values
    return model.eval(), hf.AutoTokenizer.from_pretrained(folder), pixels


def theirs(folder, kind=PAIR, **how):
    """[(score, text)] of the best captions of all photographs."""
    model, tokenizer, pixels = opened(folder, kind)
    if kind is CLASSES["blip"]:  # its `generate` is that of a part, which has read no file
        model.text_decoder.generation_config = model.generation_config
    found = model.generate(
        pixel_values=pixels,
        **how,
        num_return_sequences=NUM,
        return_dict_in_generate=True,
        output_scores=True,
    )
    texts = tokenizer.batch_decode(found.sequences, skip_special_tokens=True)
    return list(zip(found.sequences_scores.tolist(), map(str.strip, texts), strict=True))


def ours(run):
    found = Captioner.load(run)(PHOTOS, num=NUM)
    return [(caption.score, caption.text) for captions in found for caption in captions]


def same(found, expected):
    """Captions and scores, of images that are not all alike."""
    assert [text for _, text in found] == [text for _, text in expected]
    scores = ([score for score, _ in captions] for captions in (found, expected))
    np.testing.assert_allclose(*scores, rtol=0, atol=2e-5)
    texts = [text for _, text in found]
    assert len({tuple(texts[i : i + NUM]) for i in range(0, len(texts), NUM)}) > 3
    assert len({len(text.split()) for text in texts}) > 1


@pytest.mark.parametrize("name", [name for name in NAMES if "+" in name])
def test_every_pair_is_written_as_transformers_writes_it(name, tmp_path):
    """Its files of settings too, when the run has not kept those of its source."""
    publish(name, tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "origin")
    export(tmp_path / "run", tmp_path / "out")
    source = PAIR.from_pretrained(tmp_path / "source").eval()
    model, tokenizer, pixels = opened(tmp_path / "out")
    with torch.no_grad():
        tokens = torch.arange(8 * 7).reshape(8, 7) % len(tokenizer)
        logits = [each(pixels, decoder_input_ids=tokens).logits for each in (source, model)]
    torch.testing.assert_close(*logits)
    expected = [each.generate(pixels) for each in (source, model)]
    assert torch.equal(*expected)


@pytest.mark.parametrize("name", MADE)
def test_what_was_made_here_captions_there(name, tmp_path):
    made(name, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "out")
    found = theirs(tmp_path / "out")
    same(found, ours(tmp_path / "run"))
    assert said_by_card(tmp_path / "out") == found[0][1]


@pytest.mark.parametrize(
    ("name", "ends", "side"), [("vit+gpt2", 6.0, 40), ("blip", 4.0, SIDE), ("git", 4.5, SIDE)]
)
def test_what_was_trained_further_captions_there(name, ends, side, tmp_path):
    """It stays of its kind, and is float32 then; at another resolution too."""
    parent, run = imported(name, torch.float16, tmp_path), Run(tmp_path / "mine")
    config = runpy.run_path(str(FINETUNE))["get_config"](str(parent))
    config.data.source = f"shapes:size={SIDE},train=40"
    config.data.image_size = side
    train_at_random(run, Experiment.open(config, run), ends)
    export(run.path, tmp_path / "out")
    how = {"interpolate_pos_encoding": True} if side != SIDE else {}
    found = theirs(tmp_path / "out", CLASSES.get(name, PAIR), **how)
    same(found, ours(run.path))
    assert said_by_card(tmp_path / "out") == found[0][1]


def said_by_card(folder):
    """The caption of the first photograph that the code of the model card prints."""
    (code,) = re.findall("```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    PHOTOS[0].save(folder / "photo.jpg", format="png")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {"FOLDER": str(folder)})
    return printed.getvalue().strip()


def imported(name, kind, folder):
    """The run of a source as Transformers saves it, in a type."""
    publish(name, folder / "source")
    model = CLASSES.get(name, PAIR).from_pretrained(folder / "source", dtype=kind)
    model.save_pretrained(folder / "source")
    convert(folder / "source", folder / "run")
    return folder / "run"
