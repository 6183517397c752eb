"""The devices have the next batch before the host reads the one before it."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap import captioned as module
from jaxcap.captioned import captioned, one_ahead
from jaxcap.decode import Captions
from jaxcap.experiment import Experiment
from jaxcap.run import Run


@pytest.mark.parametrize(
    ("count", "expected"), [(3, "sends 0, sends 1, reads 0, sends 2, reads 1, reads 2"), (0, "")]
)
def test_one_is_sent_ahead_and_all_are_read_in_order(count, expected):
    done = []

    def sent():
        for number in range(count):
            done.append(f"sends {number}")
            yield number

    for number in one_ahead(sent()):
        done.append(f"reads {number}")
    assert ", ".join(done) == expected


def test_a_split_goes_through_it(tiny_run, monkeypatch):
    done = []

    def search(variables, batch):
        done.append("search")
        rows = len(batch["index"])
        tokens = jnp.zeros((rows, 1, 2), jnp.int32)
        return Captions(tokens, tokens.astype(jnp.float32), jnp.zeros((rows, 1)))

    def to_host(tree):
        done.append("read")
        return tuple(map(np.asarray, tree))

    monkeypatch.setattr(module, "to_host", to_host)
    experiment = Experiment.of_run(Run(tiny_run), {})
    found = captioned(search, {}, experiment.eval_example, experiment.mesh, range(12), batch_size=8)
    assert [each.index for each in found] == list(range(12))
    assert done == ["search", "search", "read", "read"]
