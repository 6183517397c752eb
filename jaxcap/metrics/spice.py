"""SPICE by its own Java program, in a process of its own: it parses captions into scene graphs.

Anderson et al., arXiv 1607.08822. The program is in an installed pycocoevalcap. The parser that it
needs, Stanford CoreNLP 3.6.0, is not, and has to be put into the package's folder spice/lib.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxcap.errors import UserError
from jaxcap.metrics.coco_package import INSTALL, REINSTALL, coco_package

HOURS = 6  # after which the program is ended
_PROGRAM = "spice-1.0.jar"
_PARSER = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")


def lacking() -> str | None:
    """Why SPICE cannot be computed here, such as "needs Java 8 or 11"; else None."""
    package = coco_package()
    if package is None:
        return INSTALL
    if not (package / "spice" / _PROGRAM).is_file():
        return REINSTALL
    parser = package / "spice" / "lib"
    if absent := [name for name in _PARSER if not (parser / name).is_file()]:
        return f"needs {' and '.join(absent)} of Stanford CoreNLP in {parser}"
    if _java() is None:
        return "needs Java 8 or 11"
    return None


def spice(
    predictions: Mapping[str, Sequence[str]],
    references: Mapping[str, Sequence[Sequence[str]]],
    hours: float = HOURS,
) -> dict[str, float]:
    """SPICE of each image, 0 to 1; that of a corpus is the mean. The program takes 8 GB of memory.

    Args:
      predictions: image id -> the words of its caption, as `ptb_words` gives them.
      references: image id -> the words of each of its references.
      hours: after which the program is ended.

    Raises:
      UserError: something is lacking, or the program fails or takes too long.
    """
    package, java = coco_package(), _java()
    if (needs := lacking()) or package is None or java is None:
        raise UserError(f"SPICE cannot be computed: it {needs}.")
    items = [
        {"image_id": place, "test": " ".join(predictions[image]), "refs": list(map(" ".join, each))}
        for place, (image, each) in enumerate(references.items())
    ]
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "captions.json", Path(folder) / "scores.json"
        given.write_text(json.dumps(items), encoding="utf-8")
        command = [java, "-Xmx8G", "-Dfile.encoding=UTF-8", "-jar", _PROGRAM, str(given)]
        try:
            ended = subprocess.run(
                [*command, "-out", str(found), "-silent"],
                cwd=package / "spice",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=hours * 3600,
            )
        except subprocess.TimeoutExpired as error:
            raise UserError(
                f"SPICE's program had no scores after {hours:g} hours, and was ended. Score fewer "
                "images, or without SPICE."
            ) from error
        if ended.returncode or not found.is_file():
            said = ended.stderr.strip().splitlines()[:3]
            raise UserError(
                f"SPICE's program failed (exit status {ended.returncode}): {' '.join(said)} It is "
                "known to run on Java 8 and 11, with 8 GB of memory; JAVA_HOME says which Java."
            )
        return _read(found, list(references))


def _read(file: Path, images: Sequence[str]) -> dict[str, float]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        scores = {row["image_id"]: float(row["scores"]["All"]["f"]) for row in rows}
        return {image: scores[place] for place, image in enumerate(images)}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"SPICE's program wrote scores that cannot be read ({error!r}). Expected image_id and "
            "scores.All.f of every image. Was its memory, 8 GB, or the disk full?"
        ) from error


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
