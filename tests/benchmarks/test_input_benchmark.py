"""The benchmark of the input: its contenders do the same work, in steps that take some time."""

from functools import partial

import numpy as np
import pytest
from PIL import Image

from jaxcap.data.prepare import prepare

pytest.importorskip("torch", reason="needs PyTorch: pip install -e '.[torch]'")


@pytest.fixture
def benchmark(script, monkeypatch):
    module = script("input")
    small = {"SIDE": 24, "SMALL": 32, "RECORDS": 8, "BATCH": 2, "WARM": 1, "TIMED": 1}
    for name, value in small.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "prepare", partial(prepare, workers=0, progress=False))
    return module


def test_the_contenders_do_the_same_work(benchmark, tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    Image.new("RGB", (64, 48), (200, 100, 50)).save(photographs / "a.jpg", quality=95)
    (tmp_path / "work").mkdir()
    sets = benchmark.data_sets(photographs, tmp_path / "work")
    for source, folder in sets.values():
        files = sorted(folder.glob("*.jpg"))
        records = benchmark.open_source(source, "train")
        assert [records[i].images[0] for i in range(8)] == [file.read_bytes() for file in files]
        turns = benchmark.contenders(source, folder, 1, "")
        assert len(turns) == 2 + len(benchmark.input_torch.KINDS)
        for name, call in turns.items():
            assert call() > 0
            begin = call.args[0]  # of the batches that the turn times
            batch = next(begin(workers=0))
            pixels, tokens = (
                (batch["image"][:, 0], batch["tokens"]) if "jaxcap" in name else batch[:2]
            )
            pixels = np.moveaxis(np.asarray(pixels), -1 if "jaxcap" in name else 1, -1)
            assert pixels.shape == (2, 24, 24, 3)
            assert tokens.shape == (2, 5, 20)
            if pixels.dtype == np.uint8:
                assert np.abs(pixels.astype(int) - (200, 100, 50)).max() < 8
