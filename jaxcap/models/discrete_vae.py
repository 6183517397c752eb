"""Discrete VAE: an image as a grid of codes, the words that DALL-E reads of it.

Ramesh et al., arXiv 2102.12092. An image is drawn again from a *content*, a code of a codebook
for each cell, and a *style*, a few numbers of the image as a whole. What has the same light all
over, such as the colour of the ground, goes into the style and leaves the codes to the things.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

from jaxcap.errors import UserError
from jaxcap.models.latents import (
    gumbel_softmax,
    kl_to_normal,
    kl_to_uniform,
    reparametrised,
    temperature_at,
)
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.pixel_cells import CellsToPixels, PixelsToCells
from jaxcap.models.pixels import normalize
from jaxcap.models.places import grid_positions

HALF = (0.5, 0.5, 0.5)  # pixels are seen and drawn from -1 to 1

Moments = tuple[Float[Array, "B N"], Float[Array, "B N"]]


class DiscreteVAE(nn.Module):
    """The memory is the code of each cell, row by row, in an embedding table of its own.

    The captions' gradient ends at that table: the codes are learned from `losses` alone, before
    the captioner or beside it.

    Attributes:
      codes: entries of the codebook.
      style: numbers of the style.
      width: D, of a cell and of an entry; a multiple of `patch` and of 4.
      patch: side of a cell in pixels, a power of two that divides the image's sides.
      depth: layers over the cells, on the way in and again on the way out.
      beta, gamma: weights of the divergences of style and content, in nats an image, beside the
        reconstruction.
      temperature: of the draws of codes, at the beginning and in the end.
      cooled: the share of training after which it is that of the end.
    """

    codes: int = 128
    style: int = 8
    width: int = 64
    patch: int = 4
    depth: int = 1
    beta: float = 1e-5
    gamma: float = 4e-6
    temperature: tuple[float, ...] = (1.0, 0.0625)
    cooled: float = 0.7
    dtype: str = "float32"

    def setup(self) -> None:
        self._check()
        sizes = (self.width, self.patch, self.depth, self.dtype)
        init, table = nn.initializers.normal(1.0), (self.codes, self.width)
        self.to_cells = PixelsToCells(*sizes)
        self.to_pixels = CellsToPixels(*sizes)
        self.to_content = nn.Dense(self.codes, dtype=self.dtype)
        self.to_style = nn.Dense(2 * self.style, dtype=self.dtype)
        self.codebook = self.param("codebook", init, table)
        self.embedding = self.param("embedding", init, table)

    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        """What the captioner reads: codes and, as in DALL-E, the rows and columns of their cells.

        The places start it off as they do a ViT; see `grid_positions`.
        """
        if self.is_initializing():
            self.reconstruct(image)  # for its parameters, which a caption has no use for
        indices = self.indices(image)
        _, rows, columns = indices.shape
        places = grid_positions(rows, columns, self.width).reshape(1, rows, columns, self.width)
        return from_grid((self.embedding[indices] + places).astype(self.dtype))

    def indices(self, image: UInt8[Array, "B h w 3"]) -> Int[Array, "B rows columns"]:
        """The likeliest code of each cell."""
        content, _ = self._inferred(image)
        return content.argmax(axis=-1)

    def reconstruct(self, image: UInt8[Array, "B h w 3"]) -> UInt8[Array, "B h w 3"]:
        """The image, drawn again from its likeliest codes and the mean of its style."""
        content, (mean, _) = self._inferred(image)
        return self.decode_codes(content.argmax(axis=-1), mean)

    def decode_codes(
        self, indices: Int[Array, "B rows columns"], style: Float[Array, "B N"] | None = None
    ) -> UInt8[Array, "B h w 3"]:
        """The image of these codes, in this style or in that of the average image."""
        if style is None:
            style = jnp.zeros((len(indices), self.style), jnp.float32)
        pixels = self._drawn(self.codebook[indices], style)
        return jnp.clip(jnp.round((pixels + 1) * 127.5), 0, 255).astype(jnp.uint8)

    def losses(
        self, image: UInt8[Array, "B h w 3"], progress: Float[Array, ""]
    ) -> dict[str, Float[Array, "B"]]:
        """The VAE's own objective: what to add up for each image; draws from "dropout".

        Args:
          image: what to draw again.
          progress: share of the steps done, 0 to 1; the temperature follows from it.

        Returns:
          reconstruction: squared error of pixels from -1 to 1, summed over the channels, the mean
            over the pixels.
          kl_style: `beta` times the divergence from the standard normal distribution.
          kl_content: `gamma` times the divergence from the uniform distribution over the codes.
        """
        content, moments = self._inferred(image)
        of_content, of_style = jax.random.split(self.make_rng("dropout"))
        first, last = self.temperature
        temperature = temperature_at(progress, first, last, self.cooled)
        weights = gumbel_softmax(of_content, content, temperature)
        cells = jnp.einsum("bhwc,cd->bhwd", weights, self.codebook)
        pixels = self._drawn(cells, reparametrised(of_style, *moments))
        error = jnp.square(pixels - normalize(image, HALF, HALF))
        return {
            "reconstruction": error.sum(axis=-1).mean(axis=(1, 2)),
            "kl_style": self.beta * kl_to_normal(*moments),
            "kl_content": self.gamma * kl_to_uniform(content),
        }

    def _inferred(
        self, image: UInt8[Array, "B h w 3"]
    ) -> tuple[Float[Array, "B rows columns codes"], Moments]:
        """Logits of the codes of each cell; mean and log-variance of the style. All float32."""
        height, width = image.shape[1:3]
        if height % self.patch or width % self.patch:
            raise UserError(
                f"An image of {height} x {width} pixels cannot be cut into cells of {self.patch}; "
                "make data.image_size a multiple of it."
            )
        cells = self.to_cells(normalize(image, HALF, HALF))
        content = self.to_content(cells).astype(jnp.float32)
        style = self.to_style(cells.mean(axis=(1, 2))).astype(jnp.float32)
        return content, (style[:, : self.style], style[:, self.style :])

    def _drawn(
        self, cells: Float[Array, "B rows columns D"], style: Float[Array, "B N"]
    ) -> Float[Array, "B h w 3"]:
        """Pixels from -1 to 1, float32; every cell knows the style."""
        everywhere = jnp.broadcast_to(style[:, None, None], (*cells.shape[:3], self.style))
        pixels = self.to_pixels(jnp.concatenate([cells, everywhere], axis=-1))
        return pixels.astype(jnp.float32)

    def _check(self) -> None:
        if self.codes < 2 or self.style < 1 or self.patch < 2 or self.width % 4:
            raise UserError(
                "A discrete VAE has at least 2 codes, 1 number of style and cells of 2 pixels, and "
                f"its width is a multiple of 4; it has codes={self.codes}, style={self.style}, "
                f"patch={self.patch} and width={self.width}."
            )
        if len(self.temperature) != 2 or min(*self.temperature, self.cooled) <= 0:
            raise UserError(
                "The codes of a discrete VAE are drawn at a temperature that falls from a first to "
                "a last one, both above 0, until a share above 0 of training is done; it has "
                f"temperature={self.temperature} and cooled={self.cooled}."
            )
