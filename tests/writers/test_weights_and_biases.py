"""Weights & Biases: what is asked of it by a stand-in, and offline by itself where it is there."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from jaxcap.writers import Writers
from jaxcap.writers.wandb import WandB
from jaxcap.writers.writer import Sample

SQUARE, LOOKS = Image.new("RGB", (24, 24), "red"), Image.new("RGB", (60, 24), "blue")
SAMPLES = [Sample(SQUARE, "a square", LOOKS), Sample(SQUARE, "a circle", None)]
OFFLINE = """
import sys
from pathlib import Path
from PIL import Image
from jaxcap.writers.wandb import WandB
from jaxcap.writers.writer import Sample
folder, first = Path(sys.argv[1]), int(sys.argv[2])
writer = WandB(folder, first)
for step in range(first, first + 3):
    writer.scalars(step, {"loss": float(step)})
    writer.samples(step, [Sample(Image.new("RGB", (24, 24), (step, 9, 9)), "a square", None)])
writer.close()
"""


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "shapes"
    folder.mkdir()
    (folder / "config.json").write_text('{"seed": 3, "model": {"dtype": "float32"}}')
    return folder


@pytest.fixture
def asked(monkeypatch):
    """What was asked of a module that keeps it: the words of each init, and each row with its step.

    As the real one it takes no step before the last one.
    """
    asked = SimpleNamespace(inits=[], rows=[], finished=0)

    class Run:
        def log(self, row, step):
            assert not asked.rows or step >= asked.rows[-1][0]
            asked.rows.append((step, row))

        def finish(self):
            asked.finished += 1

    def init(**words):
        asked.inits.append(words)
        return Run()

    module = SimpleNamespace(
        init=init,
        Settings=dict,
        Image=lambda image, caption, file_type: (image, caption),
    )
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return asked


def test_every_start_of_a_run_goes_on_with_the_same_one(run, asked, monkeypatch):
    for step in (0, 5):
        WandB(run, step).close()
    other = run.parent / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    monkeypatch.setenv("WANDB_PROJECT", "captions")
    WandB(other, 0).close()
    first, again, another = asked.inits
    assert first == again
    assert first["resume"] == "allow"
    assert first["id"] == (run / "wandb_id").read_text().strip() != another["id"]
    assert (first["name"], first["project"], another["project"]) == ("shapes", "jaxcap", "captions")
    assert first["config"] == {"seed": 3, "model": {"dtype": "float32"}}
    assert asked.finished == 3


def test_numbers_and_samples_are_rows_of_their_step(run, asked):
    writer = WandB(run, 0)
    writer.scalars(2, {"loss": 0.5})
    writer.samples(2, SAMPLES)
    assert asked.rows == [
        (2, {"loss": 0.5}),
        (
            2,
            {
                "samples": [(SQUARE, "a square"), (SQUARE, "a circle")],
                "looks": [(LOOKS, "a square")],
            },
        ),
    ]


def test_without_a_network_the_run_goes_on_without_it(run, asked, monkeypatch, capsys):
    def init(**_):
        raise TimeoutError("nobody answers")

    monkeypatch.setattr(sys.modules["wandb"], "init", init)
    with Writers(run, 0, ["wandb"]) as writers:
        writers.scalars(1, {"loss": 0.5})
        writers.scalars(2, {"loss": 0.5})
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert capsys.readouterr().out.count("wandb cannot be written") == 1


def test_offline_the_real_one_keeps_two_starts_as_one_run(run, monkeypatch):
    pytest.importorskip("wandb", reason="needs Weights & Biases: pip install 'jaxcap[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for first in (0, 2):
        command = [sys.executable, "-c", OFFLINE, str(run), str(first)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    name = (run / "wandb_id").read_text().strip()
    kept = sorted((run / "wandb").glob("offline-run-*"))
    assert len(kept) == 2
    for first, folder in zip((0, 2), kept, strict=True):
        assert folder.name.endswith(f"-{name}")
        assert (folder / f"run-{name}.wandb").stat().st_size > 1000
        images = sorted((folder / "files" / "media" / "images").iterdir())
        steps = [int(image.name.split("_")[1]) for image in images]
        assert steps == list(range(first, first + 3))
