"""What a config is refused for before anything is opened."""

import pytest
from tiny_run import get_config

from jaxcap.config import check
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
    "name", ["log_every", "checkpoint_every", "eval.every", "optim.decay_every"]
)
def test_every_no_step_is_never(name):
    config = get_config()
    config.update_from_flattened_dict({name: 0})
    with pytest.raises(UserError, match=rf"{name} is 0; expected 1 or more"):
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
