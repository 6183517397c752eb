"""The signature of a score: everything that would have to be the same to measure it again."""

import subprocess
from functools import cache
from pathlib import Path

import jaxcap


def signature(**parts: object) -> str:
    """One line, `name:value` joined by `|`, closed by the version of jaxcap and its commit."""
    line = {**parts, "jaxcap": f"{jaxcap.__version__}+{commit()}"}
    return "|".join(f"{name}:{value}" for name, value in line.items())


@cache
def commit() -> str:
    """The commit of the source tree, `-dirty` if changed; `release` where it is no git checkout."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return "release"
    found = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
