"""What an import keeps of its source that the run has no use for, so that an export gives it back.

It is the folder `origin` of a run: the source's files of settings, word for word, its tensors that
captioning has no use for, and the report of the import.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxcap.checkpoint import write_text
from jaxcap.interop.source import Source
from jaxcap.interop.table import Report
from jaxcap.interop.weight_files import WHOLE, read_weights, write_weights

FOLDER, REPORT = "origin", "report.json"
WEIGHTS = ("*.safetensors", "*.bin", "*.h5", "*.msgpack", "*.index.json", "*.pt", "*.pth", "*.onnx")


@dataclass(frozen=True)
class Origin:
    """The folder of a run.

    Attributes:
      folder: where it is.
      report: of the import.
    """

    folder: Path
    report: Report

    def unused(self) -> Mapping[str, np.ndarray]:
        """Tensors that captioning has no use for, by name."""
        return read_weights(self.folder) if self.report.unused else {}

    def give_back(self, folder: Path) -> None:
        """Copy the source's files of settings to a folder."""
        for file in self.folder.iterdir():
            if file.name not in (REPORT, WHOLE, "README.md"):
                shutil.copyfile(file, folder / file.name)


def keep(source: Source, report: Report, run: Path) -> None:
    """Write the folder of a run."""
    folder = run / FOLDER
    folder.mkdir()
    weights = {file for pattern in WEIGHTS for file in source.folder.glob(pattern)}
    for file in source.folder.iterdir():
        if file.is_file() and file not in weights and not file.name.startswith("."):
            shutil.copyfile(file, folder / file.name)
    write_text(folder / REPORT, json.dumps(vars(report), indent=1))
    if report.unused:
        write_weights(folder, {name: source.tensors[name] for name in report.unused})


def origin_of(run: Path) -> Origin | None:
    """What the import of a run kept; None of a run that was made here."""
    folder = run / FOLDER
    if not folder.is_dir():
        return None
    return Origin(folder, Report(**json.loads((folder / REPORT).read_text(encoding="utf-8"))))
