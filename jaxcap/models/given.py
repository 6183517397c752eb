"""An encoder for records whose features are given: there is nothing left for it to do."""

import flax.linen as nn
from jaxtyping import Array, UInt8

from jaxcap.errors import UserError
from jaxcap.models.memory import Memory


class Given(nn.Module):
    """Refuses pixels; what was made of them before never comes here (see `Shown.kept`)."""

    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        raise UserError(
            "This captioner reads features of regions that are given, and is shown pixels. Set "
            "data.features, data.regions and data.region_features, or choose another encoder."
        )
