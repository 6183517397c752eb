"""Time in which data were late, not that in which the program was ahead; and what ends a run."""

import time
from contextlib import nullcontext

import jax.numpy as jnp
import pytest

from jaxcap.config import base
from jaxcap.errors import UserError
from jaxcap.run import Run
from jaxcap.watch import Clock, Window


class Made:
    """What a step makes, ready or not."""

    def __init__(self, ready):
        self.is_ready = lambda: ready


@pytest.mark.parametrize("ready", [True, False])
def test_data_are_late_only_if_there_is_nothing_else_to_do(ready):
    clock = Clock()
    with clock.waiting(Made(ready)):
        time.sleep(0.02)
    told = clock.read(images=8, captions=5)
    assert (told["waiting"] > 0.5) == ready
    assert told["captions_per_s"] == pytest.approx(5 * told["images_per_s"])
    clock.reset()
    assert clock.read(1, 1)["waiting"] == 0


@pytest.mark.parametrize(("tokens", "ends"), [(0.0, False), (40.0, True)])
def test_images_that_cannot_be_read_are_no_collapse(tmp_path, monkeypatch, tokens, ends):
    """Nothing is drawn of them, so that its entropy is nothing too."""
    objective, window = base().objective, Window(0)
    objective.min_entropy = 0.02
    monkeypatch.setattr(Run, "best_step", lambda _: 0)
    names = ("loss", "grad_norm", "update_norm", "token_entropy")
    window.add(dict.fromkeys(names, jnp.zeros(())) | {"tokens": tokens, "unreadable": 8.0})
    with pytest.raises(UserError, match="0 nats a token") if ends else nullcontext():
        assert window.close(1, Run(tmp_path), objective)["unreadable"] == 8
