"""What a config opens."""

import pytest
from tiny_run import get_config

from jaxcap.checkpoint import Run
from jaxcap.data.sources.shapes import Shapes
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment


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
    captions, asked = Shapes.captions, []

    def watched(source, index):
        asked.append(index)
        return captions(source, index)

    monkeypatch.setattr(Shapes, "captions", watched)
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
