"""A stage that refines a map: cells look about in windows, and one token at all of them (PureT)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxcap.errors import UserError
from jaxcap.models.attention import Attention, attend_memory
from jaxcap.models.blocks import Mlp, Residual, Style
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.shown import Shown
from jaxcap.models.windows import Windows

CELU = 1.3  # alpha of the activation behind the first layer


class Refine(nn.Module):
    """The refining encoder of PureT (Wang et al., arXiv 2203.15350).

    The image as a whole starts as the mean of the cells. Cells see their own window and the whole;
    the whole sees itself and all the cells. It leaves as `whole`, and as the first token.

    Attributes:
      width: of the cells behind a first dense layer.
      depth, heads, mlp_width: layers, H, F.
      window: side in cells; it divides the sides of the map. Every other layer shifts by half.
      dropout: behind the first layer and in the others.
    """

    width: int = 512
    depth: int = 3
    heads: int = 8
    mlp_width: int = 2048
    window: int = 6
    dropout: float = 0.1
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, memory: Memory, shown: Shown, train: bool = False) -> Memory:
        grid = memory.as_map()
        rows, columns = grid.shape[1:3]
        if rows % self.window or columns % self.window:
            raise UserError(
                f"The refining stage cuts a map into windows of {self.window} x {self.window} "
                f"cells, and the encoder gives a map of {rows} x {columns}. Choose another "
                "model.stage.window or data.image_size."
            )
        x = nn.Dense(self.width, dtype=self.dtype, name="embed")(grid.astype(self.dtype))
        x = Dropout(self.dropout)(jax.nn.celu(x, CELU), train)
        whole = x.mean(axis=(1, 2))[:, None]
        style = Style(
            norm="post", activation="relu", epsilon=1e-5, dropout=self.dropout, dtype=self.dtype
        )
        layer = nn.remat(RefineBlock, static_argnums=(3,)) if self.remat else RefineBlock
        for i in range(self.depth):
            shifted = i % 2 == 1
            block = layer(
                self.heads, self.mlp_width, self.window, shifted, style, name=f"layer_{i}"
            )
            x, whole = block(x, whole, train)
        return from_grid(x, extra=whole).replace(whole=whole[:, 0])


class RefineBlock(nn.Module):
    """One layer, over the map and the whole."""

    heads: int
    mlp_width: int
    window: int
    shifted: bool
    style: Style

    @nn.compact
    def __call__(
        self, x: Float[Array, "B h w D"], whole: Float[Array, "B 1 D"], train: bool
    ) -> tuple[Float[Array, "B h w D"], Float[Array, "B 1 D"]]:
        look = WindowsAndWhole(self.heads, self.window, self.shifted, self.style.dtype, name="look")
        seen = look(x, whole)
        around = Residual(self.style, name="attention_residual")
        x, whole = (
            around.leave(old, new, train) for old, new in zip((x, whole), seen, strict=True)
        )
        around, mlp = (
            Residual(self.style, name="mlp_residual"),
            Mlp(self.mlp_width, self.style, name="mlp"),
        )
        x, whole = (around.leave(old, mlp(old, train), train) for old in (x, whole))
        return x, whole


class WindowsAndWhole(nn.Module):
    """Attention of the cells to their window and the whole, and of the whole to all of them."""

    heads: int
    window: int
    shifted: bool
    dtype: str

    @nn.compact
    def __call__(
        self, x: Float[Array, "B h w D"], whole: Float[Array, "B 1 D"]
    ) -> tuple[Float[Array, "B h w D"], Float[Array, "B 1 D"]]:
        B, rows, columns, D = x.shape
        attention = Attention(self.heads, self.dtype, name="attention")
        of_whole = attention.keys_values(whole)
        windows = Windows.of(x, self.window, self.shifted)
        near = windows.cut(x)
        everywhere = (B, near.shape[1], *of_whole[0].shape[1:])
        key, value = (
            jnp.concatenate([own, jnp.broadcast_to(one[:, None], everywhere)], axis=-2)
            for own, one in zip(attention.keys_values(near), of_whole, strict=True)
        )
        span = (2 * self.window - 1) ** 2
        table = self.param("distances", nn.initializers.normal(0.02), (span, self.heads))
        bias = windows.bias(table, self.window)
        bias = jnp.concatenate([bias, jnp.zeros((*bias.shape[:-1], 1), bias.dtype)], axis=-1)
        cells = attend_memory(attention.queries(near), (key, value), None, bias)
        cells = windows.joined(attention.merge(cells))

        of_cells = attention.keys_values(x.reshape(B, rows * columns, D))
        key, value = (
            jnp.concatenate([own, one], axis=-2)
            for own, one in zip(of_cells, of_whole, strict=True)
        )
        seen = attend_memory(attention.queries(whole), (key, value), None)
        return cells, attention.merge(seen)
