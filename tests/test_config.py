"""What a config is refused for before anything is opened."""

import pytest
from tiny_run import get_config

from jaxcap.config import base, check, completed
from jaxcap.errors import UserError


def test_a_whole_config_is_fine():
    config = get_config()
    config.optim.parts = (("^encoder/", 0), ["x|y", 0.5])
    config.model.lora = (("^decoder/", 8),)
    check(config)


def test_what_is_empty_is_named():
    config = get_config()
    config.steps = config.data.source = None
    with pytest.raises(UserError, match=r"leaves steps and data.source empty.* --config.steps="):
        check(config)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("log_every", 1),
        ("checkpoint_every", 1),
        ("eval.every", 1),
        ("optim.decay_every", 1),
        ("batch_size", 1),
        ("accumulate", 1),
        ("eval.batch_size", 1),
        ("data.captions", 1),
        ("data.max_len", 1),
        ("data.image_size", 1),
        ("seed", 0),
        ("steps", 0),
        ("optim.warmup", 0),
        ("data.workers", 0),
        ("data.resize", 0),
        ("eval.images", 0),
        ("profile", 0),
    ],
)
def test_less_than_the_least_is_refused(name, least):
    config = get_config()
    config.update_from_flattened_dict({name: least})
    check(config)
    config.update_from_flattened_dict({name: least - 1})
    never = "; past the last step is never" if "every" in name else ""
    with pytest.raises(UserError) as refused:
        check(config)
    assert str(refused.value) == f"{name} is {least - 1}; expected {least} or more{never}."


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.5])
def test_a_rate_that_is_stepped_down_stays_a_rate(decay):
    config = get_config()
    config.optim.decay = decay
    with pytest.raises(UserError, match=rf"optim.decay is {decay}; expected more than 0"):
        check(config)


@pytest.mark.parametrize("name", ["optim.parts", "model.lora"])
@pytest.mark.parametrize(
    "rules",
    [
        ("^decoder", 8),  # the comma after the pair is missing
        (("^decoder", "8"),),
        (("^decoder", True),),
        (("(", 8),),
        (("^decoder", 8, 9),),
        ((8, "^decoder"),),
    ],
)
def test_a_rule_is_a_pair_of_a_regex_and_a_number(name, rules):
    config = get_config()
    config.update_from_flattened_dict({name: rules})
    with pytest.raises(UserError, match=rf"{name} has .* no pair of a regex and a number"):
        check(config)


@pytest.mark.parametrize(
    "field", ["reward.repeats", "reward.kl", "objective.max_kl", "objective.temperature"]
)
def test_settings_of_captions_that_are_drawn_need_some(field):
    config = get_config()
    config.update_from_flattened_dict({field: 0.5})
    with pytest.raises(UserError, match=f"{field} is 0.5, and does nothing"):
        check(config)
    config.objective.samples = 2
    check(config)


def test_numbers_have_a_kind_that_there_is():
    config = get_config()
    config.model.dtype = "bf16"
    with pytest.raises(UserError, match=r"no model.dtype 'bf16'. Did you mean 'bfloat16'"):
        check(config)


def test_only_random_parts_are_made_fast():
    config = get_config()
    config.data.fast = True
    with pytest.raises(UserError, match=r"data\.fast is True, but .* data\.crop is 1"):
        check(config)
    config.data.crop = 0.5
    check(config)


def test_words_start_once():
    config = get_config()
    config.init_from, config.model.word_vectors = "runs/other", "glove.txt"
    with pytest.raises(UserError, match=r"word_vectors is 'glove.txt', but .* runs/other"):
        check(config)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": 0}, "data.images is 0; expected 1 or more"),
        ({"regions": -1}, "data.regions is -1; expected 0 or more"),
        ({"features": -1}, "data.features is -1; expected 0 or more"),
        ({"features": 4, "region_features": "x"}, "data.regions is 0; expected 1 or more"),
        ({"features": 4, "regions": 3}, "region_features is '': set both"),
        ({"region_features": "x"}, "data.features is 0 .* 'x': set both"),
        ({"crop": 0.0}, "data.crop is 0.0; expected more than 0"),
        ({"crop": 1.5}, "data.crop is 1.5; .* 1 at most"),
        ({"crop": 0.5, "cache": "kept"}, "data.crop is 0.5, but .* no random parts"),
        (
            {"features": 4, "regions": 3, "region_features": "x", "cache": "kept"},
            "data.cache is 'kept', but .* the features in x. Leave it empty",
        ),
    ],
)
def test_what_is_shown_of_a_record_fits_together(fields, message):
    config = get_config()
    config.data.update(fields)
    with pytest.raises(UserError, match=message):
        check(config)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"captions": -1.0}, "captions is -1.0; expected 0 or more"),
        ({"doubly_stochastic": -0.1}, "doubly_stochastic is -0.1; expected 0 or more"),
        ({"images": -1.0}, "images is -1.0; expected 0 or more"),
        ({"reinforce": -0.1}, "reinforce is -0.1; expected 0 or more"),
        ({"entropy": float("nan")}, "entropy is nan; expected 0 or more"),
        ({"smoothing": 1.0}, "smoothing is 1.0; expected 0 or more, and less than 1"),
        ({"smoothing": -0.1}, "smoothing is -0.1"),
        ({"scheduled_sampling": 1.1}, "scheduled_sampling is 1.1; expected 0 to 1"),
        ({"scheduled_sampling": -0.1}, "scheduled_sampling is -0.1"),
        ({"reinforce": 0.2}, r"reinforce is 0.2, and does nothing.* model.decoder.hard=True"),
        ({"entropy": 0.0}, "entropy is 0.0, and does nothing: it belongs to hard attention"),
    ],
)
def test_terms_of_an_objective_have_weights_and_something_to_weigh(fields, message):
    config = get_config()
    config.objective.update(fields)
    with pytest.raises(UserError, match=rf"objective\.{message}"):
        check(config)


def test_what_attention_draws_may_have_any_weights():
    config = get_config()
    config.model.decoder = {"name": "recurrent", "width": 8, "hard": True}
    config.objective.update({"reinforce": 1.0, "entropy": 0.0})
    check(config)


def test_a_config_of_before_objectives_had_terms_is_read():
    fields = base().to_dict()
    del fields["objective"]
    fields["optim"]["smoothing"] = 0.3
    config = completed(fields)
    assert config.objective.smoothing == 0.3
    assert config.objective.captions == 1.0
    assert "smoothing" not in config.optim
