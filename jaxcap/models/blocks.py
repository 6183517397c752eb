"""The Transformer layer over memory tokens, and the parts that it shares with the decoder's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.attention import Attention, attend_memory
from jaxcap.models.dropout import Dropout
from jaxcap.models.norm import LayerNorm
from jaxcap.models.product import Dense

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": partial(nn.gelu, approximate=False),
    "gelu_tanh": partial(nn.gelu, approximate=True),
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "relu": nn.relu,
    "silu": nn.silu,
}
NORMS = ("pre", "post")


@dataclass(frozen=True)
class Style:
    """How the layers of a Transformer are built; one for all layers of a stack.

    Attributes:
      norm: "pre" norms what a sublayer reads, "post" the sum that it leaves (arXiv 2002.04745).
      activation: of the MLP; one of `ACTIVATIONS`.
      epsilon: of the layer norms.
      biases: which of query, key and value have one, by their first letters.
      layer_scale: where each channel's gain on what a sublayer adds starts (arXiv 2103.17239);
        0 has no gains.
    """

    norm: str = "pre"
    activation: str = "gelu_tanh"
    epsilon: float = 1e-6
    biases: str = "qkv"
    layer_scale: float = 0.0
    dropout: float = 0.0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise UserError(f"There is no norm {self.norm!r}. {did_you_mean(self.norm, NORMS)}")
        if self.activation not in ACTIVATIONS:
            raise UserError(
                f"There is no activation {self.activation!r}. "
                f"{did_you_mean(self.activation, ACTIVATIONS)}"
            )


class Residual(nn.Module):
    """Where a sublayer leaves the residual stream, and where it comes back to it."""

    style: Style

    def setup(self) -> None:
        self.norm = LayerNorm(self.style.dtype, self.style.epsilon)
        self.drop = Dropout(self.style.dropout)
        if self.style.layer_scale:
            self.gain = Gain(self.style.layer_scale)

    def enter(self, x: Float[Array, "... D"]) -> Float[Array, "... D"]:
        """What the sublayer reads of the stream."""
        return self.norm(x) if self.style.norm == "pre" else x

    def leave(
        self, x: Float[Array, "... D"], y: Float[Array, "... D"], train: bool
    ) -> Float[Array, "... D"]:
        """The stream x with what the sublayer gave, y."""
        if self.style.layer_scale:
            y = self.gain(y)
        x = x + self.drop(y, train)
        return x if self.style.norm == "pre" else self.norm(x)


class Gain(nn.Module):
    """A learned factor for each channel."""

    start: float

    @nn.compact
    def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "... D"]:
        scale = self.param("scale", nn.initializers.constant(self.start), (x.shape[-1],))
        return x * jnp.expand_dims(scale.astype(x.dtype), range(x.ndim - 1))


class Mlp(nn.Module):
    """Two dense layers with the activation between them."""

    mlp_width: int
    style: Style

    @nn.compact
    def __call__(self, x: Float[Array, "... D"], train: bool) -> Float[Array, "... D"]:
        init = nn.initializers.xavier_uniform()
        dense = partial(Dense, dtype=self.style.dtype, kernel_init=init)
        y = ACTIVATIONS[self.style.activation](dense(self.mlp_width, name="up")(x))
        y = Dropout(self.style.dropout)(y, train)
        return dense(x.shape[-1], name="down")(y)


class MemoryBlock(nn.Module):
    """Transformer layer over the tokens of an image; every real token sees every other."""

    heads: int
    mlp_width: int
    style: Style

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B S D"],
        mask: Bool[Array, "B S"] | None,
        train: bool,
        bias: Float[Array, "#B H S S"] | None = None,
    ) -> Float[Array, "B S D"]:
        """`bias` is added to the scores of the attention (places that know each other)."""
        attention = Attention(self.heads, self.style.dtype, self.style.biases, name="attention")
        around = Residual(self.style, name="attention_residual")
        y = around.enter(x)
        seen = attend_memory(attention.queries(y), attention.keys_values(y), mask, bias)
        x = around.leave(x, attention.merge(seen), train)
        around = Residual(self.style, name="mlp_residual")
        y = Mlp(self.mlp_width, self.style, name="mlp")(around.enter(x), train)
        return around.leave(x, y, train)
