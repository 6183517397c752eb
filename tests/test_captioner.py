"""That a run directory alone captions, whatever images are given as; what the numbers mean."""

import gc
import json
import shutil
from itertools import chain
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from tiny_run import photographs

import jaxcap
from jaxcap.captioner import BATCHES, Captioner
from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError
from jaxcap.decode.search import diverse
from jaxcap.errors import UserError


@pytest.fixture(scope="module")
def alone(tiny_run, tmp_path_factory):
    """The captioner of a copy of the run that has nothing else to read: its data are gone."""
    folder = tmp_path_factory.mktemp("elsewhere") / "copied"
    folder.mkdir()
    for part in ("tokenizer", "checkpoints"):
        shutil.copytree(tiny_run / part, folder / part)
    config = json.loads((tiny_run / "config.json").read_text())
    config["data"] |= {"source": "flickr8k:/no/such/folder", "cache": "/no/such/cache"}
    (folder / "config.json").write_text(json.dumps(config))
    return Captioner.load(folder)


@pytest.fixture(scope="module")
def arrays():
    return photographs(6)


def close(some, others):
    """Whether the same captions were found, with the same numbers but for rounding."""
    assert [[c.tokens for c in each] for each in some] == [[c.tokens for c in e] for e in others]
    for one, other in zip(chain(*some), chain(*others), strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
        assert one.score == pytest.approx(other.score, abs=1e-4)
    return True


def test_the_package_hands_out_the_captioner():
    assert jaxcap.Captioner is Captioner
    with pytest.raises(AttributeError, match="no attribute 'Captionist'"):
        jaxcap.Captionist  # noqa: B018


def test_a_copied_run_captions_as_the_run_itself(alone, tiny_run, arrays):
    assert close(alone(arrays[:1]), Captioner.load(tiny_run)(arrays[:1]))


def test_it_says_of_the_split_what_evaluation_wrote(alone, tiny_run):
    """One model and one search: the two doors to it lead to the same captions."""
    from jaxcap.data.sources import open_source

    source = open_source(
        json.loads((tiny_run / "config.json").read_text())["data"]["source"], "val"
    )
    written = json.loads((tiny_run / "predictions.json").read_text())
    said = {each["image_id"]: each["caption"] for each in written}
    for record in (source[0], source[1], source[5]):
        ((caption,),) = alone(record.images, prompt=record.prompt)
        assert caption.text == said[record.image_id]


def test_a_path_its_bytes_a_picture_and_an_array_are_one_photograph(alone, arrays, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(arrays[0]).save(path)
    given = [path, str(path), path.read_bytes(), Image.open(path), arrays[0]]
    shown = [alone.shown(each)["image"] for each in given]
    assert shown[0].shape == (1, 32, 32, 3)
    for other in shown[1:]:
        np.testing.assert_array_equal(other, shown[0])
    grey = np.full((5, 7), 99, np.uint8)
    assert (alone.shown(grey)["image"] == 99).all()


def test_a_photograph_is_put_upright_however_it_is_given(alone, arrays, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    path = tmp_path / "turned.png"
    Image.fromarray(arrays[0]).save(path, exif=exif)
    upright = alone.shown(np.ascontiguousarray(arrays[0][::-1, ::-1]))
    np.testing.assert_equal(alone.shown(path), upright)
    np.testing.assert_equal(alone.shown(Image.open(path)), upright)


@pytest.mark.parametrize("frame", [{}, {"fit": "short", "resize": 40, "resample": "nearest"}])
def test_it_is_shown_what_the_run_was_shown(alone, arrays, tiny_run, tmp_path, frame):
    """The frame of evaluation; what is in it is captioned without being framed once more."""
    config = json.loads((tiny_run / "config.json").read_text())
    for field in ("fit", "resize", "resample"):  # a run of old lacks them
        del config["data"][field]
    config["data"] |= frame
    for part in ("tokenizer", "checkpoints"):
        shutil.copytree(tiny_run / part, tmp_path / part)
    (tmp_path / "config.json").write_text(json.dumps(config))
    framed = Captioner.load(tmp_path)
    shown = [framed.shown(image) for image in arrays]
    pixels = Frame(32, **frame)(Image.fromarray(arrays[0]))
    np.testing.assert_array_equal(shown[0]["image"][0], pixels)
    assert np.array_equal(shown[0]["image"], alone.shown(arrays[0])["image"]) == (not frame)
    assert close(framed.of_shown(shown), framed(arrays))


def test_many_images_are_captioned_as_each_alone(alone, arrays):
    one_by_one = [alone([image], beams=2, num=2)[0] for image in arrays]
    assert close(alone(arrays, beams=2, num=2), one_by_one)  # 6 fill up a batch of 16
    assert alone([]) == []


def test_more_images_than_a_batch(alone, arrays):
    images = [arrays[i % 6] for i in range(BATCHES[-1] + 2)]
    found = alone(images)
    assert len(found) == len(images)
    assert close(found[6:12], found[:6])
    assert close(found[-2:], [found[(BATCHES[-1] + i) % 6] for i in range(2)])


def test_nothing_is_compiled_twice(alone, arrays):
    """Two images or four make one program, and so do the same settings said otherwise."""
    alone(arrays[:2], beams=3)
    search = alone._search(1, 0, {"beams": 3})
    program = alone._program(search, 4, 0)
    before = alone._program.cache_info().currsize
    alone(arrays[:4], beams=3)
    alone(arrays[:3], num=3)
    assert alone._program(search, 4, 0) is program
    assert program._cache_size() == 1
    assert alone._program.cache_info().currsize == before


def test_programs_not_used_lately_are_freed(tiny_run, arrays, monkeypatch):
    """However many settings are asked for, the memory of their programs is bounded."""
    monkeypatch.setattr("jaxcap.captioner.PROGRAMS", 2)
    few = Captioner.load(tiny_run)
    backend = jax.devices()[0].client
    few(arrays[:1], length_penalty=0.0)
    gc.collect()
    before = len(backend.live_executables())
    for step in range(1, 6):
        few(arrays[:1], length_penalty=step / 10)
    gc.collect()
    assert len(backend.live_executables()) <= before + 1


def test_beams_give_different_captions_best_first(alone, arrays):
    (found,) = alone(arrays[:1], beams=4, num=3)
    assert len({caption.tokens for caption in found}) == 3
    scores = [caption.score for caption in found]
    assert scores == sorted(scores, reverse=True)
    ((best,),) = alone(arrays[:1], beams=4)
    assert best == found[0]
    assert len(alone(arrays[:1], num=2)[0]) == 2  # as many beams as captions are asked for


def test_a_score_is_the_mean_log_probability_of_the_tokens(alone, arrays):
    """The run's length penalty is 1."""
    for caption in alone(arrays[:1], beams=4, num=3)[0]:
        assert len(caption.tokens) == len(caption.logprobs)
        assert caption.score == pytest.approx(np.mean(caption.logprobs), abs=1e-5)


def test_every_token_that_may_come_next(alone, arrays):
    """Beams enough find all of them: their probabilities add up to 1, but for what is banned."""
    choosable = alone.tokenizer.vocab_size - len(alone.tokenizer.banned)
    found = alone(arrays[:1], num=choosable, max_len=1)[0]
    assert len({caption.tokens for caption in found}) == choosable
    assert 0.5 < np.exp([caption.logprobs[0] for caption in found]).sum() < 1
    closed = [caption for caption in found if caption.tokens == ("<eos>",)]
    assert [caption.text for caption in closed] == [""]
    assert alone.logp(arrays[0], [""])[0] == pytest.approx(closed[0].score, abs=1e-4)


def test_nothing_is_banned_where_nothing_is_suppressed(tiny_run, arrays):
    free = Captioner.load(tiny_run, suppress=[])
    found = free(arrays[:1], num=free.tokenizer.vocab_size, max_len=1)[0]
    assert np.exp([caption.logprobs[0] for caption in found]).sum() == pytest.approx(1, abs=1e-4)
    with pytest.raises(UserError, match=r"forced_bos is 1; .* may be chosen"):
        Captioner.load(tiny_run, forced_bos=free.tokenizer.bos)


def test_logp_is_what_the_search_pays_for_a_caption_and_its_eos(alone, arrays):
    ((caption,),) = alone(arrays[:1], max_len=3)
    said = [
        p for token, p in zip(caption.tokens, caption.logprobs, strict=True) if token != "<eos>"
    ]
    choosable = alone.tokenizer.vocab_size - len(alone.tokenizer.banned)
    after = alone(arrays[:1], prompt=caption.text, num=choosable, max_len=1)[0]
    (closing,) = (each.logprobs[0] for each in after if each.tokens == ("<eos>",))
    texts = ["a red circle", caption.text]
    assert alone.logp(arrays[0], texts)[1] == pytest.approx(sum(said) + closing, abs=1e-4)


def test_logp_of_a_text_too_long(alone, arrays):
    with pytest.raises(UserError, match="has 41 tokens with EOS"):
        alone.logp(arrays[0], ["red " * 40])


def test_settings_of_the_search_are_the_runs_until_said_otherwise(alone, tiny_run, arrays):
    ((short,),) = alone(arrays[:1], max_len=2)
    ((usual,),) = alone(arrays[:1])
    assert len(short.tokens) == 2
    assert len(usual.tokens) == 6  # the run's search.max_len; so young a model does not end itself
    other = Captioner.load(tiny_run, max_len=4, no_repeat_ngram=1)
    ((varied,),) = other(arrays[:1])
    assert len(varied.tokens) == len(set(varied.tokens)) == 4


@pytest.mark.parametrize("beams", [1, 3])
def test_captions_of_as_many_words_as_are_asked_for(alone, arrays, beams):
    """So young a model does not end itself; and what it is kept from is not in its score."""
    found = alone(arrays[:2], beams=beams, max_words=3, prompt="a red")
    for (caption,) in found:
        assert len(caption.text.split()) <= 3
        assert caption.logprobs == pytest.approx(
            [*_logps(alone, arrays[found.index([caption])], caption)], abs=1e-4
        )
    ((longer,),) = alone(arrays[:1], beams=beams, min_words=5, max_words=5)
    assert len(longer.text.split()) == 5


def test_diverse_captions_differ_more(alone, arrays):
    varied = alone(arrays[:1], num=3, **diverse(3))[0]
    assert len({caption.tokens[0] for caption in varied}) > 1
    assert len(varied) == 3
    assert diverse(1) == {}


def _logps(captioner, image, caption):
    """The log-probability of each token that was chosen, by teacher forcing."""
    explained = captioner.explain(image, caption)
    return np.log(explained.probabilities).tolist()


def test_a_prompt_begins_the_caption_and_is_no_part_of_it(alone, arrays):
    levels = [alone(arrays[:1], prompt=prompt)[0][0] for prompt in ("<objects>", "<layout>")]
    assert levels[0].logprobs != levels[1].logprobs
    for caption in levels:
        assert len(caption.tokens) == 6
        assert "<" not in caption.text
    ((words,),) = alone(arrays[:1], prompt="a red")
    assert words.text.startswith("a red ")
    assert words.text == " ".join(["a", "red", *words.tokens])
    given, whole = alone.logp(arrays[0], ["a red", words.text])
    assert sum(words.logprobs) > whole  # the prompt's own words are not scored
    assert given > -np.inf


def test_the_longest_caption_ends_where_the_model_does(alone, arrays):
    ((caption,),) = alone(arrays[:1], prompt="<layout>", max_len=23)
    assert len(caption.tokens) <= 23
    with pytest.raises(UserError, match=r"24 tokens after a prompt of 1 .* 24 in all"):
        alone(arrays[:1], prompt="<layout>", max_len=24)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beams": 2, "num": 3}, "3 captions an image are asked for; 2 beams"),
        ({"num": 0}, "0 captions an image"),
        ({"max_len": 0}, "search.max_len is 0"),
        ({"prompt": "<layuot>"}, "never seen.*<layout>"),
        ({"prompt": "a zeppelin"}, "'a zeppelin' has words"),
        ({"prompt": "a " * 24}, "after a prompt of 24"),
    ],
)
def test_a_setting_out_of_range(alone, arrays, settings, message):
    with pytest.raises(UserError, match=message):
        alone(arrays[:1], **settings)


def test_an_unreadable_image_is_named(alone, tmp_path):
    corrupt = tmp_path / "corrupt.jpg"
    corrupt.write_bytes(b"\xff\xd8 and no more")
    with pytest.raises(ImageError, match=r"corrupt\.jpg is no image of a known format"):
        alone([corrupt])
    with pytest.raises(ImageError, match=r"none\.jpg cannot be read: No such file"):
        alone([tmp_path / "none.jpg"])
    with pytest.raises(ImageError, match=r"array of float32 \[4, 4, 3\]; expected uint8"):
        alone([np.zeros((4, 4, 3), np.float32)])


def test_a_directory_that_is_no_run(tmp_path, tiny_run):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"not a run directory.*notes\.txt"):
        Captioner.load(tmp_path)
    with pytest.raises(
        UserError, match=r"no checkpoint of step 7\. It has those of 0, 3; the best"
    ):
        Captioner.load(tiny_run, step=7)
    with pytest.raises(UserError, match=r"no setting 'beam'\. Did you mean 'beams'"):
        Captioner.load(tiny_run, beam=4)


def test_a_checkpoint_may_be_chosen(alone, tiny_run, arrays):
    untrained = Captioner.load(tiny_run, step=0)
    assert (untrained.step, alone.step) == (0, 3)
    texts = ["a red circle"]
    assert untrained.logp(arrays[0], texts) != pytest.approx(alone.logp(arrays[0], texts))


def test_loading_writes_nothing_into_the_run(tiny_run):
    before = sorted(Path(tiny_run).rglob("*"))
    Captioner.load(tiny_run)
    assert sorted(Path(tiny_run).rglob("*")) == before
