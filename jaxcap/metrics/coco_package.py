"""The installed pycocoevalcap, found without importing it: some metrics' data are in it."""

import importlib.util
from pathlib import Path

NAME = "pycocoevalcap"
INSTALL = f"needs pip install {NAME}"
REINSTALL = f"needs pip install --force-reinstall {NAME}"


def coco_package() -> Path | None:
    """Its folder; None where it is not installed."""
    spec = importlib.util.find_spec(NAME)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
