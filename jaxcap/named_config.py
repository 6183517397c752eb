"""A config by its name: `shapes`, `shapes:long`, `configs/shapes.py`, or a file of one's own."""

import ast
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcap.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_INSTALLED, _CHECKOUT = (folder / "configs" for folder in Path(__file__).parents[:2])
SHIPPED = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT  # a wheel has them inside the package


def shipped() -> dict[str, str]:
    """The configs that jaxcap comes with: of each name the first line of its docstring."""
    return {file.stem: _first_line(file) for file in sorted(SHIPPED.glob("*.py"))}


def located(name: str) -> str:
    """The file of a config and, behind a colon, its argument, if it is given one.

    Args:
      name: of a file, or of a config that jaxcap comes with, whatever the current folder is:
        `shapes`, `shapes.py` and `configs/shapes.py` are the same one.

    Raises:
      UserError: there is neither.
    """
    word, colon, argument = name.partition(":")
    file, known = Path(word), shipped()
    if file.is_file():
        return name
    if file.parent in (Path(), Path("configs")) and file.stem in known:
        return f"{SHIPPED / file.stem}.py{colon}{argument}"
    raise UserError(
        f"There is no config {word!r}, neither as a file nor among those that jaxcap comes with. "
        f"{did_you_mean(file.stem, known)}"
    )


def named_config(name: str) -> "ConfigDict":
    """The config itself; see `located` for its name."""
    file, *argument = located(name).split(":", 1)
    spec = spec_from_file_location(Path(file).stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(*argument)


def _first_line(file: Path) -> str:
    """Of a module's docstring, without running it."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]
