"""Weights & Biases: one run there for a run directory, however often that is started."""

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxcap.atomic import write_text
from jaxcap.writers.writer import Sample

ID = "wandb_id"  # file of the run directory
PATIENCE = 300  # seconds that the end of a run waits for what is not sent yet


class WandB:
    """See `jaxcap.writers.writer.Writer`; the environment says where to, or WANDB_MODE=offline.

    Of steps that are done again there stays what was written first: it is the same.
    """

    package = "wandb"

    def __init__(self, folder: Path, first: int):
        import wandb

        file = folder / ID
        if not file.exists():
            write_text(file, f"{uuid.uuid4().hex[:8]}\n")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "jaxcap"),
            id=file.read_text(encoding="utf-8").strip(),
            resume="allow",
            name=folder.resolve().name,
            dir=str(folder),
            config=json.loads((folder / "config.json").read_text(encoding="utf-8")),
            settings=wandb.Settings(console="off", finish_timeout=PATIENCE),  # a bar is no log
        )

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Charts by their names."""
        self._run.log(dict(numbers), step=step)

    def samples(self, step: int, samples: Sequence[Sample]) -> None:
        """Images with their captions; and where the decoder looked."""
        import wandb

        panels = {
            "samples": [(sample.image, sample.caption) for sample in samples],
            "looks": [(sample.looks, sample.caption) for sample in samples if sample.looks],
        }
        shown = {
            name: [wandb.Image(image, caption=caption, file_type="jpg") for image, caption in each]
            for name, each in panels.items()
            if each
        }
        self._run.log(shown, step=step)

    def close(self) -> None:
        """Send what is left, within `PATIENCE`."""
        self._run.finish()
