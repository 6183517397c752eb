"""What a program needs, of one that can be counted by hand; and what cannot be compiled."""

import math

import jax
import pytest
from tiny_run import get_config

from jaxcap.ahead.chips import CHIPS, Chip, chip_of
from jaxcap.ahead.collectives import collectives
from jaxcap.ahead.program import PROGRAMS, topology_mesh, train_program
from jaxcap.ahead.report import compile_ahead
from jaxcap.ahead.roofline import Need
from jaxcap.errors import UserError
from jaxcap.models import build
from jaxcap.partition import make_mesh
from jaxcap.state import init_variables

CHIP = Chip(flops=100.0, memory=50.0, memory_rate=20.0, link_rate=10.0)


@pytest.fixture
def here(monkeypatch):
    """In the place of a topology, the devices that there are."""
    monkeypatch.setattr(
        "jaxcap.ahead.report.topology_mesh", lambda config, _: make_mesh(config.mesh.to_dict())
    )


@pytest.fixture
def config():
    config = get_config()
    config.model.vocab_size = 64
    config.data.max_len = 6
    return config


def test_the_longest_limit_bounds():
    need = Need(flops=300.0, held=12.0, left=8.0, work=5.0, sent=20.0)
    assert need.memory == 17
    assert need.seconds(CHIP) == {"compute": 3.0, "memory": 1.5, "communication": 2.0}
    assert (need.bound(CHIP), need.ceiling(CHIP)) == ("compute", 1.0)
    slow = need._replace(sent=60.0)
    assert (slow.bound(CHIP), slow.ceiling(CHIP)) == ("communication", 0.5)


def test_gradients_are_sent_and_nothing_else(here, config, capsys):
    need = compile_ahead(config, "v5e:2x4")
    model = build(config.model, config.model.vocab_size, config.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    size = sum(math.prod(leaf.shape) for leaf in params.values())
    once = 2 * 7 / 8 * 4 * size
    assert once <= need.sent < 1.15 * once  # CPUs reduce what the two uses of a word say apart
    told = capsys.readouterr().out
    assert told.count("Collectives") == 1
    assert "data=8 x fsdp=1 x tensor=1 on v5e:2x4, 8 chips" in told
    assert "all-reduce over 8 chips" in told


@pytest.mark.parametrize("scan", [False, True])
def test_shared_parameters_are_gathered_where_they_are_used_and_no_activation_is(config, scan):
    config.mesh = {"data": 1, "fsdp": 8}
    config.model.scan = scan
    mesh = make_mesh(config.mesh.to_dict())
    text = train_program(config, mesh).lower().compile().as_text()
    model = build(config.model, config.model.vocab_size, config.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    sizes = [4 * math.prod(leaf.shape) for leaf in params.values() if leaf.ndim > 1]
    ids = 4 * config.batch_size * config.data.captions * config.data.max_len
    found = collectives(text, 8)
    gathered = [each for each in found if each.kind == "all-gather" and each.size != ids]
    assert gathered
    assert {each.size for each in gathered} <= {*sizes}
    # CPUs have no reduce-scatter of gradients; of words, each device has all, of some channels.
    others = {each.kind for each in found} - {"all-gather"}
    assert others == {"all-reduce", "all-to-all"}
    words = ids * config.model.decoder.width
    assert sum(each.size for each in found if each.kind == "all-to-all") <= 2 * words
    assert sum(each.times * each.size for each in gathered) <= 2 * sum(sizes)
    # Gradients, once each; those of the words are summed up for each of their two uses.
    whole = sum(4 * math.prod(leaf.shape) for leaf in params.values())
    summed = sum(each.times * each.size for each in found if each.kind == "all-reduce")
    assert whole <= summed <= 1.15 * whole


def test_a_search_sends_nothing_and_goes_round_for_each_word(here, config):
    short = compile_ahead(config, "v5e:2x4", "caption")
    assert short.sent == 0
    config.search["max_len"] = 3
    shorter = compile_ahead(config, "v5e:2x4", "caption")
    config.search["max_len"] = 1
    shortest = compile_ahead(config, "v5e:2x4", "caption")
    assert short.flops > shorter.flops > shortest.flops > 0


def test_what_is_not_known_is_told(here, config):
    with pytest.raises(UserError, match=r"no chip 'v9' here. .*v5e"):
        chip_of("v9:2x2")
    with pytest.raises(UserError, match=r"no program 'trane'. Did you mean 'train'"):
        compile_ahead(config, "v5e:2x4", "trane")
    config.model.vocab_size = 0
    with pytest.raises(UserError, match=r"set model.vocab_size"):
        compile_ahead(config, "v5e:2x4")
    config.objective.samples = 5
    with pytest.raises(UserError, match=r"leave objective\.samples at 0"):
        compile_ahead(config, "v5e:2x4")
    config.init_from = "runs/other"
    with pytest.raises(UserError, match="leave init_from empty"):
        compile_ahead(config, "v5e:2x4")
    with pytest.raises(UserError, match=r"compiled for v5e:lots here: .*libtpu"):
        topology_mesh(config, "v5e:lots")


def test_programs_and_chips_are_the_ones_that_are_told():
    assert set(PROGRAMS) == {"train", "caption"}
    assert {"v5e", "v5p", "v6e"} <= set(CHIPS)
