"""Published sizes of a network: one setting in the place of several."""

from collections.abc import Mapping
from typing import Any

from jaxcap.errors import UserError, did_you_mean


def settle_size(module: Any, kind: str, sizes: Mapping[str, Mapping[str, Any]]) -> None:
    """Give a module the settings that its `size` stands for, from its `__post_init__`.

    Args:
      module: with a `size`; it is "" where the settings are given one by one. Of these, what is
        zero or empty is not given.
      kind: of network, for messages.
      sizes: the settings of each size, all of the same names.

    Raises:
      UserError: there is no such size; a setting is given and differs from it; there is no size
        and a setting is not given.
    """
    size = module.size
    if size and size not in sizes:
        raise UserError(f"There is no {kind} of size {size!r}. {did_you_mean(size, sizes)}")
    names = next(iter(sizes.values())).keys()
    given = {name: getattr(module, name) for name in names if getattr(module, name)}
    for name, value in sizes.get(size, {}).items():
        if given.setdefault(name, value) != value:
            raise UserError(
                f"A {kind} of size {size!r} has {name} {value}, and {name} is set to "
                f"{given[name]}. Leave one of the two out."
            )
        object.__setattr__(module, name, value)
    if missing := [name for name in names if name not in given]:
        raise UserError(
            f"A {kind} is given either by its size or by {', '.join(names)}; it has no size, and "
            f"no {', '.join(missing)}."
        )
