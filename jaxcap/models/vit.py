"""Vision Transformer: patches of the image as memory (Dosovitskiy et al., arXiv 2010.11929)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.blocks import MemoryBlock, Style
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory
from jaxcap.models.norm import LayerNorm
from jaxcap.models.pixels import normalize
from jaxcap.models.places import RelativePositions, grid_positions, resample
from jaxcap.models.sizes import settle_size
from jaxcap.models.stack import through
from jaxcap.models.stem import STEMS

SIZES = {
    name: {"width": width, "depth": depth, "heads": heads, "mlp_width": mlp_width}
    for name, width, depth, heads, mlp_width in (
        ("mini", 64, 2, 2, 256),  # for small pictures such as the shapes; not in the paper
        ("Ti", 192, 12, 3, 768),
        ("S", 384, 12, 6, 1536),
        ("B", 768, 12, 12, 3072),
        ("L", 1024, 24, 16, 4096),
        ("g", 1408, 40, 16, 6144),  # Zhai et al., arXiv 2106.04560
    )
}
POSITIONS = ("absolute", "relative", "shared")


class ViT(nn.Module):
    """The tokens are those named in `tokens`, then the grid of patches, row by row.

    The defaults are this project's own: pre-norm, and no tokens but the patches. The ViT, DeiT,
    BEiT, CLIP, SigLIP and DINOv2 that others trained are the same network with other settings.

    Attributes:
      size: one of `SIZES`, in place of the four numbers after it.
      width, depth, heads, mlp_width: D, layers, H, F.
      patch: side of a patch in pixels; it must divide the image's sides, unless there is a `grid`,
        and it is what fits: then the rest of the image is not seen.
      stem: `patches` or `convs`; see `jaxcap.models.stem`.
      stem_bias: of the patches.
      tokens: learned tokens before the patches, such as ("class",).
      positions: some of `POSITIONS`: a vector for each token, or what heads add by the distance
        of two tokens, of each layer ("relative") or of all together ("shared").
      grid: the side, in patches, of the grid that the positions are of; for another they are
        interpolated. 0 is that of the images.
      norm, activation, epsilon, biases, layer_scale: see `jaxcap.models.blocks.Style`.
      norm_first, norm_last: the tokens are normed before the first layer, after the last.
      mean, std: of each channel, in units of 255.
    """

    size: str = ""
    width: int = 0
    depth: int = 0
    heads: int = 0
    mlp_width: int = 0
    patch: int = 16
    stem: str = "patches"
    stem_bias: bool = True
    tokens: tuple[str, ...] = ()
    positions: tuple[str, ...] = ("absolute",)
    grid: int = 0
    norm: str = "pre"
    activation: str = "gelu_tanh"
    epsilon: float = 1e-6
    biases: str = "qkv"
    layer_scale: float = 0.0
    norm_first: bool = False
    norm_last: bool = True
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    dropout: float = 0.0
    dtype: str = "float32"
    remat: bool = False
    scan: bool = False

    def __post_init__(self) -> None:
        settle_size(self, "ViT", SIZES)
        super().__post_init__()

    @nn.compact
    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        self._check(image.shape)
        width, heads = self.width, self.heads
        style = Style(
            norm=self.norm,
            activation=self.activation,
            epsilon=self.epsilon,
            biases=self.biases,
            layer_scale=self.layer_scale,
            dropout=self.dropout,
            dtype=self.dtype,
        )
        x = normalize(image, self.mean, self.std).astype(self.dtype)
        x = STEMS[self.stem](width, self.patch, self.stem_bias, self.dtype, name="stem")(x)
        rows, columns = x.shape[1:3]
        x = self._with_tokens(x.reshape(x.shape[0], rows * columns, width))
        if "absolute" in self.positions:
            x = x + self._places(rows, columns, width)[None].astype(self.dtype)
        x = Dropout(self.dropout)(x, train)
        if self.norm_first:
            x = LayerNorm(self.dtype, self.epsilon, name="norm_first")(x)
        mask = jnp.ones(x.shape[:2], bool)
        side, bias = self.grid or rows, None
        if "shared" in self.positions:
            bias = RelativePositions(heads, side, name="distances")(rows, columns)
        biases = None
        if "relative" in self.positions:
            distances = (
                RelativePositions(heads, side, name=f"distances_{i}") for i in range(self.depth)
            )
            biases = [each(rows, columns) for each in distances]
        x = through(
            [
                MemoryBlock(heads, self.mlp_width, style, name=f"layer_{i}")
                for i in range(self.depth)
            ],
            lambda layer, x, own: layer(x, mask, train, added(bias, own)),
            x,
            biases,
            scan=self.scan,
            remat=self.remat,
        )
        if self.norm_last:
            x = LayerNorm(self.dtype, self.epsilon, name="norm_last")(x)
        return Memory(x, mask, grid=(rows, columns))

    def _with_tokens(self, x: Float[Array, "B N D"]) -> Float[Array, "B S D"]:
        init = nn.initializers.normal(0.02)
        tokens = [self.param(f"{name}_token", init, (1, x.shape[-1])) for name in self.tokens]
        rows = [jnp.broadcast_to(t[None].astype(x.dtype), (x.shape[0], *t.shape)) for t in tokens]
        return jnp.concatenate([*rows, x], axis=1)

    def _places(self, rows: int, columns: int, width: int) -> Float[Array, "S D"]:
        old = (self.grid or rows, self.grid or columns)

        def start(_: Array) -> Float[Array, "N D"]:
            return jnp.concatenate(
                [jnp.zeros((len(self.tokens), width)), grid_positions(*old, width)]
            )

        table = self.param("positions", start)
        of_tokens, of_cells = table[: len(self.tokens)], table[len(self.tokens) :]
        cells = resample(of_cells.reshape(*old, width), rows, columns, "cubic")
        return jnp.concatenate([of_tokens, cells.reshape(rows * columns, width)])

    def _check(self, shape: tuple[int, ...]) -> None:
        if self.stem not in STEMS:
            raise UserError(f"A ViT has no stem {self.stem!r}. {did_you_mean(self.stem, STEMS)}")
        for kind in self.positions:
            if kind not in POSITIONS:
                raise UserError(f"A ViT has no positions {kind!r}. {did_you_mean(kind, POSITIONS)}")
        if {"relative", "shared"} & {*self.positions} and tuple(self.tokens) != ("class",):
            raise UserError(
                "Relative positions know one token before the patches, and it is the class: "
                f'tokens=("class",), not {tuple(self.tokens)}.'
            )
        known = (self.grid * self.patch, (self.grid + 1) * self.patch)  # published ones may not fit
        fits = all(known[0] <= side < known[1] for side in shape[1:3])
        if not fits and (shape[1] % self.patch or shape[2] % self.patch):
            raise UserError(
                f"An image of {shape[1]} x {shape[2]} pixels cannot be cut into patches of "
                f"{self.patch}; make data.image_size a multiple of it."
            )


def added(shared: Array | None, own: Array | None) -> Array | None:
    """What heads add by distance: what all layers add, and what the one does."""
    return own if shared is None else shared if own is None else shared + own
