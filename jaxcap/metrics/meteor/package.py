"""METEOR's data in the installed pycocoevalcap: a Java archive, and the paraphrases beside it."""

import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path

from jaxcap.errors import UserError

_PACKAGE = "pycocoevalcap"
_INSTALL = f"needs pip install {_PACKAGE}"
_REINSTALL = f"needs pip install --force-reinstall {_PACKAGE}"


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
                f"as {_PACKAGE} 1.2 has it: METEOR {_REINSTALL}."
            ) from error


def meteor_files() -> MeteorFiles:
    """Finds the data, without importing the package.

    Raises:
      UserError: the package is not installed, or lacks them.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"METEOR's data are not on this machine: it {_INSTALL}.")
    folder = Path(spec.submodule_search_locations[0]) / "meteor"
    files = MeteorFiles(folder / "meteor-1.5.jar", folder / "data" / "paraphrase-en.gz")
    for path in (files.archive, files.paraphrases):
        if not path.is_file():
            raise UserError(
                f"{path}: METEOR's data are not there. Expected the file as {_PACKAGE} 1.2 has it: "
                f"METEOR {_REINSTALL}."
            )
    return files


def lacking() -> str | None:
    """Why METEOR cannot be computed here, such as "needs pip install pycocoevalcap"; else None."""
    try:
        meteor_files()
    except UserError:
        return _REINSTALL if importlib.util.find_spec(_PACKAGE) else _INSTALL
    return None
