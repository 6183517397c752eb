"""Transformers loads what an export wrote, and says what the run says: captions and scores."""

import json
import re
import runpy
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from published import MADE, made, publish, train_at_random
from sources import NAMES, SIDE, photographs

from jaxcap import Captioner
from jaxcap.checkpoint import Run
from jaxcap.experiment import Experiment
from jaxcap.interop.convert import convert
from jaxcap.interop.export import export

torch = pytest.importorskip("torch", reason="Transformers' models are written in PyTorch")
import transformers as hf  # noqa: E402

torch.set_num_threads(1)  # the tests share the machine
FINETUNE = Path(__file__).parents[2] / "configs" / "finetune.py"
PHOTOS = photographs(8)
NUM = 3
PAIR = hf.VisionEncoderDecoderModel
CLASSES = {"blip": hf.BlipForConditionalGeneration, "git": hf.GitForCausalLM}


@cache
def opened(folder, kind=PAIR):
    """(the model of a folder, its tokenizer, the photographs as it takes them)."""
    model, told = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(told.values()), told
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    shown = hf.AutoImageProcessor.from_pretrained(folder)
    pixels = shown(PHOTOS, return_tensors="pt").pixel_values
    return model.eval(), hf.AutoTokenizer.from_pretrained(folder), pixels


def theirs(folder, kind=PAIR):
    """[(score, text)] of the best captions of all photographs."""
    model, tokenizer, pixels = opened(folder, kind)
    if kind is CLASSES["blip"]:  # its `generate` is that of a part, which has read no file
        model.text_decoder.generation_config = model.generation_config
    found = model.generate(
        pixel_values=pixels,
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
    assert len({len(text.split()) for text in texts}) > 2


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
    same(theirs(tmp_path / "out"), ours(tmp_path / "run"))


@pytest.mark.parametrize(("name", "ends"), [("vit+gpt2", 6.0), ("blip", 4.0), ("git", 4.5)])
def test_what_was_trained_further_captions_there(name, ends, tmp_path):
    """It stays of its kind, and is float32 then."""
    run = Run(imported(name, torch.float16, tmp_path))
    config = runpy.run_path(str(FINETUNE))["get_config"](str(run.path))
    config.data.source = f"shapes:size={SIDE},train=40"
    train_at_random(run, Experiment.open(config, run), ends)
    export(run.path, tmp_path / "out")
    same(theirs(tmp_path / "out", CLASSES.get(name, PAIR)), ours(run.path))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| Steps | 1 of 1000, 32 images each |" in card


CARDS = [("blip", SIDE), ("git", SIDE), ("vit+gpt2", 40), ("dinov2+gpt2", 48)]


@pytest.mark.parametrize(("name", "side"), CARDS)
def test_the_code_of_the_card_captions(name, side, tmp_path, monkeypatch, capsys):
    """At another resolution than the source's too."""
    run = imported(name, torch.float32, tmp_path)
    config = json.loads((run / "config.json").read_text())
    config["data"] |= {"image_size": side, "resize": 0}
    (run / "config.json").write_text(json.dumps(config))
    export(run, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    PHOTOS[2].save("photo.jpg")
    ((caption,),) = Captioner.load(run)(["photo.jpg"])
    (code,) = re.findall("```python\n(.*?)```", (tmp_path / "out" / "README.md").read_text(), re.S)
    capsys.readouterr()
    exec(code, {"FOLDER": str(tmp_path / "out")})
    assert capsys.readouterr().out.strip() == caption.text != ""


def imported(name, kind, folder):
    """The run of a source as Transformers saves it, in a type."""
    publish(name, folder / "source")
    model = CLASSES.get(name, PAIR).from_pretrained(folder / "source", dtype=kind)
    model.save_pretrained(folder / "source")
    convert(folder / "source", folder / "run")
    return folder / "run"
