"""The settings of the search as those of `generate`, and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import ROLES, SIDE, config_of

from jaxcap.decode import Search
from jaxcap.errors import UserError
from jaxcap.interop.generation import NEUTRAL, generation_config, search_settings

ids = st.integers(0, 50)
some = st.lists(ids, max_size=3).map(tuple)
share = st.floats(0.01, 5.0)


@st.composite
def searches(draw):
    """Settings of what `generate` can do too, with all ids given."""
    settings = {
        "max_len": draw(st.integers(1, 30)),
        "length_penalty": draw(st.floats(-2.0, 2.0)),
        "early_stopping": draw(st.sampled_from([True, False, "never"])),
        "no_repeat_ngram": draw(st.integers(0, 4)),
        "repetition_penalty": draw(share),
        "bad_words": draw(st.lists(some.filter(len), max_size=2).map(tuple)),
        "suppress": draw(some),
        "forced_bos": draw(st.none() | st.integers(51, 60)),
        "forced_eos": draw(st.none() | st.integers(51, 60)),
    }
    settings["min_len"] = draw(st.integers(0, settings["max_len"]))
    if draw(st.booleans()):
        settings["beams"] = draw(st.integers(1, 5))
    else:
        drawn = {"temperature": share, "top_k": st.integers(0, 9), "top_p": st.floats(0.1, 1.0)}
        settings |= {"sample": True, **{name: draw(value) for name, value in drawn.items()}}
    return settings


@given(searches())
def test_a_search_comes_back_from_its_file(settings):
    search = Search.of(**settings)
    said = json.loads(json.dumps(generation_config(vars(search))))
    assert Search.of(**search_settings(said, "it")) == search


def test_groups_come_from_files_of_when_there_were_groups():
    said = {"num_beams": 6, "num_beam_groups": 3, "diversity_penalty": 0.5}
    search = Search.of(**search_settings(said, "it"))
    assert (search.beams, search.groups, search.diversity) == (6, 3, 0.5)


def test_the_defaults_are_those_of_transformers():
    assert Search.of(**search_settings({}, "it")) == Search(max_len=20, suppress=())
    drawn = Search.of(**search_settings({"do_sample": True}, "it"))
    assert drawn == Search(max_len=20, suppress=(), sample=True, top_k=50)


@pytest.mark.parametrize("name", NEUTRAL)
def test_what_the_search_has_nothing_like_is_refused_unless_it_does_nothing(name):
    for value in (None, NEUTRAL[name]):
        assert search_settings({name: value}, "it") == search_settings({}, "it")
    with pytest.raises(UserError, match=rf"it says {name} = 0.7; the search .* Remove the line"):
        search_settings({name: 0.7}, "it")


def test_drawn_beams_are_refused():
    with pytest.raises(UserError, match=r"it says do_sample with num_beams = 4: .* one of the two"):
        search_settings({"do_sample": True, "num_beams": 4}, "it")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"max_length": 12, "min_length": 5},
        {"max_new_tokens": 5, "max_length": 9},
        {"min_new_tokens": 2, "min_length": 7},
        {"min_length": 1},
    ],
)
@pytest.mark.filterwarnings("ignore:Using the model-agnostic default")
def test_lengths_are_those_of_generate(said):
    """Of captions that would never end, and of such that would end at once."""
    torch = pytest.importorskip("torch", reason="Transformers' generate runs on PyTorch")
    import transformers as hf

    roles = {f"{role}_token_id": id for role, id in ROLES["bert"].items()}
    model = hf.VisionEncoderDecoderModel(config_of("vit+bert")).eval()
    model.generation_config = hf.GenerationConfig(decoder_start_token_id=2, **roles, **said)
    search = Search.of(**search_settings(said, "it"))

    class Ends:
        def __init__(self, by):
            self.by = by

        def __call__(self, tokens, scores):
            scores[:, ROLES["bert"]["eos"]] += self.by
            return scores

    for by, length in ((-1e6, search.max_len), (1e6, search.min_len + 1)):
        found = model.generate(
            pixel_values=torch.zeros(1, 3, SIDE, SIDE), logits_processor=[Ends(by)]
        )
        assert found.shape[1] == 1 + length
