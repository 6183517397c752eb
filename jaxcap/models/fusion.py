"""How a decoder brings the image to the words, and which of its settings are of which way."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxcap.errors import UserError, did_you_mean


def check_fusion(decoder: Any, fusions: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a fusion that there is not, and a setting that would do nothing with the one there is.

    Args:
      decoder: whose `fusion` and settings they are.
      fusions: that its kind has, each with those of its settings that are not of all of them.

    Raises:
      UserError: such a setting is not as it is by default.
    """
    mine = decoder.fusion
    if mine not in fusions:
        raise UserError(f"There is no fusion {mine!r}. {did_you_mean(mine, fusions)}")
    for field in dataclasses.fields(decoder):
        homes = [repr(fusion) for fusion, settings in fusions.items() if field.name in settings]
        value = getattr(decoder, field.name)
        if homes and field.name not in fusions[mine] and value != field.default:
            raise UserError(
                f"The decoder's {field.name} is {value!r}, and does nothing with fusion {mine!r}: "
                f"it belongs to {' and '.join(homes)}. Leave it out, or choose such a fusion."
            )
