"""What a config opens."""

import pytest
from tiny_run import get_config

from jaxcap.checkpoint import Run
from jaxcap.data.sources.shapes import Shapes
from jaxcap.experiment import Experiment


@pytest.mark.parametrize(
    ("records", "read"), [(0, range(64)), (3, (0, 21, 42, 63)), (1000, range(64))]
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
