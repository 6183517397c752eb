"""METEOR's data in the installed pycocoevalcap: a Java archive, and the paraphrases beside it."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from jaxcap.errors import UserError
from jaxcap.metrics.coco_package import INSTALL, NAME, REINSTALL, coco_package


@dataclass(frozen=True)
class MeteorFiles:
    """Where METEOR's data are.

    Attributes:
      archive: meteor-1.5.jar, a zip file, with the word lists and the WordNet data.
      paraphrases: paraphrase-en.gz, three lines an entry: how likely, a phrase, a paraphrase.
    """

    archive: Path
    paraphrases: Path

    def lines(self, member: str) -> list[str]:
        """The lines of a text in the archive.

        Raises:
          UserError: the archive is damaged, or has no such text.
        """
        try:
            with zipfile.ZipFile(self.archive) as archive:
                return archive.read(member).decode("utf-8").splitlines()
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{self.archive}: METEOR's data cannot be read ({error}). Expected {member} in it, "
                f"as {NAME} 1.2 has it: METEOR {REINSTALL}."
            ) from error


def meteor_files() -> MeteorFiles:
    """Finds the data, without importing the package.

    Raises:
      UserError: the package is not installed, or lacks them.
    """
    package = coco_package()
    if package is None:
        raise UserError(f"METEOR's data are not on this machine: it {INSTALL}.")
    folder = package / "meteor"
    files = MeteorFiles(folder / "meteor-1.5.jar", folder / "data" / "paraphrase-en.gz")
    for path in (files.archive, files.paraphrases):
        if not path.is_file():
            raise UserError(
                f"{path}: METEOR's data are not there. Expected the file as {NAME} 1.2 has it: "
                f"METEOR {REINSTALL}."
            )
    return files


def lacking() -> str | None:
    """Why METEOR cannot be computed here, such as "needs pip install pycocoevalcap"; else None."""
    try:
        meteor_files()
    except UserError:
        return REINSTALL if coco_package() else INSTALL
    return None
