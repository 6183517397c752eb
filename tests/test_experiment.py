"""What a config opens."""

import jax.numpy as jnp
import pytest
from tiny_run import get_config

from jaxcap.data.sources.shapes import Shapes
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.run import Run
from jaxcap.state import TrainState


@pytest.mark.parametrize(
    ("records", "read"),
    [
        (0, range(64)),
        (3, (0, 21, 42)),
        (40, [place * 64 // 40 for place in range(40)]),
        (1000, range(64)),
    ],
)
def test_a_vocabulary_is_read_off_so_many_records_from_all_over_the_split(
    records, read, tmp_path, monkeypatch
):
    told, asked = Shapes.told, []

    def watched(source, index):
        asked.append(index)
        return told(source, index)

    monkeypatch.setattr(Shapes, "told", watched)
    config = get_config()
    config.tokenizer.records = records
    experiment = Experiment.open(config, Run(tmp_path))
    assert asked == list(read)
    assert experiment.tokenizer.encode("a red circle")


def test_a_negative_number_of_records_is_refused(tmp_path):
    config = get_config()
    config.tokenizer.records = -1
    with pytest.raises(UserError, match=r"tokenizer.records is -1.*0 for all"):
        Experiment.open(config, Run(tmp_path))
    assert not list(tmp_path.iterdir())


def test_ready_arrays_are_copied_into_each_of_their_places():
    """A step may write over its state: two places in one buffer would end the program."""
    ready = {"x": jnp.arange(4.0)}
    fresh = {"x": jnp.zeros(4)}
    state = TrainState(jnp.zeros(()), fresh, fresh, {}, {}, (), jnp.zeros(())).with_ready(ready)
    places = (ready["x"], state.trained["x"], state.average["x"])
    assert len({array.unsafe_buffer_pointer() for array in places}) == 3
    assert all((array == ready["x"]).all() for array in places)
