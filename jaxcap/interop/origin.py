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

from jaxcap.atomic import write_text
from jaxcap.interop.report import Report
from jaxcap.interop.source import Source
from jaxcap.interop.weight_files import WHOLE, read_weights, write_weights
from jaxcap.run import ORIGIN

REPORT = "jaxcap_import.json"
SETTINGS = (".json", ".txt", ".model", ".jinja", ".md")  # of the tokenizer too
INDEX = ".index.json"  # of weights


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
    folder = run / ORIGIN
    folder.mkdir()
    for file in source.folder.iterdir():
        kept = file.suffix in SETTINGS and not file.name.startswith(".")
        if kept and file.is_file() and not file.name.endswith(INDEX):
            shutil.copyfile(file, folder / file.name)
    write_text(folder / REPORT, json.dumps(vars(report), indent=1))
    if report.unused:
        write_weights(folder, {name: source.tensors[name] for name in report.unused})


def origin_of(run: Path) -> Origin | None:
    """What the import of a run kept; None of a run that was made here."""
    folder = run / ORIGIN
    if not folder.is_dir():
        return None
    return Origin(folder, Report(**json.loads((folder / REPORT).read_text(encoding="utf-8"))))
