"""Multi-head attention in two parts: projections that own parameters, and pure functions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxcap.errors import UserError
from jaxcap.models.product import times_kernel

BLOCKED = -1e9  # finite, so that a row that may look nowhere gives no NaN

Heads = Float[Array, "... H T C"]


class Attention(nn.Module):
    """Projections of one attention layer; its outputs are [..., heads, tokens, channels].

    Queries are scaled by 1/sqrt(channels) here, once, so that `attend` is plain products.

    Attributes:
      heads: H.
      dtype: of the computation.
      biases: which of query, key and value have one, by their first letters.
      width: of queries, keys and values, H x C; by default that of what they are made of.
    """

    heads: int
    dtype: str
    biases: str = "qkv"
    width: int | None = None

    def setup(self) -> None:
        self.query, self.key, self.value = (
            _Project(self.heads, self.dtype, part in self.biases, self.width) for part in "qkv"
        )
        self.out = _Merge(self.dtype)

    def queries(self, x: Float[Array, "... T D"]) -> Heads:
        """[..., T, D] -> [..., H, T, C], scaled."""
        q = self.query(x)
        return q * jnp.asarray(q.shape[-1] ** -0.5, q.dtype)

    def keys_values(self, x: Float[Array, "... S D"]) -> tuple[Heads, Heads]:
        """[..., S, D] -> keys and values, each [..., H, S, C]."""
        return self.key(x), self.value(x)

    def merge(self, x: Heads) -> Float[Array, "... T D"]:
        """[..., H, T, C] -> [..., T, D]."""
        return self.out(x)


def attend(
    q: Float[Array, "B K H T C"],
    own: tuple[Float[Array, "B K H U C"], Float[Array, "B K H U C"]] | None,
    own_mask: Bool[Array, "T U"] | None,
    shared: tuple[Float[Array, "B H S C"], Float[Array, "B H S C"]] | None,
    shared_mask: Bool[Array, "B S"] | None,
) -> tuple[Float[Array, "B K H T C"], Float[Array, "B K H T S"] | None]:
    """One softmax over the stream's own tokens and the tokens that all K streams share.

    The shared keys and values are never copied K times: the K streams' queries are laid end to
    end instead, and one product per image and head serves them all.

    Args:
      q: scaled queries of the K streams.
      own: keys and values of each stream itself (self-attention), or None.
      own_mask: which of its own tokens each query sees (causality, unwritten cache), or None.
      shared: keys and values that belong to the image (memory), or None.
      shared_mask: which of these are real, or None for all.

    Returns:
      The attended values, and the weights of the shared tokens if there are any. Scores and the
      softmax are in float32.
    """
    K = q.shape[1]
    if shared is None and own is not None:
        return _mix(jax.nn.softmax(_scores(q, own[0], own_mask), axis=-1), own[1]), None
    assert shared is not None
    mask = None if shared_mask is None else shared_mask[:, None, None, :]
    over_image = _scores(_end_to_end(q), shared[0], mask)
    if own is None:
        weights = jax.nn.softmax(over_image, axis=-1)
        return _streams(_mix(weights, shared[1]), K), _streams(weights, K)
    scores = (_streams(over_image, K), _scores(q, own[0], own_mask))
    weights = jax.nn.softmax(jnp.concatenate(scores, axis=-1), axis=-1)
    seen = shared[1].shape[2]
    of_image = _streams(_mix(_end_to_end(weights[..., :seen]), shared[1]), K)
    return of_image + _mix(weights[..., seen:], own[1]), weights[..., :seen]


def attend_memory(
    q: Float[Array, "*B H T C"],
    kv: tuple[Float[Array, "*B H S C"], Float[Array, "*B H S C"]],
    mask: Bool[Array, "*B S"] | None,
    bias: Float[Array, "*#B H T S"] | None = None,
) -> Float[Array, "*B H T C"]:
    """One softmax over memory tokens, for queries that are no streams: of the memory itself.

    Args:
      q: scaled queries, of images or of parts of images.
      kv: keys and values of the memory.
      mask: which of these are real, or None for all.
      bias: added to the scores, or None.
    """
    scores = _scores(q, kv[0], None if mask is None else mask[..., None, None, :])
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    return _mix(jax.nn.softmax(scores, axis=-1), kv[1])


def _scores(
    q: Heads, keys: Float[Array, "... H U C"], mask: Bool[Array, "..."] | None
) -> Float[Array, "... H T U"]:
    """Products of queries and keys in float32, blocked where the mask is False."""
    product = jnp.einsum("...tc,...uc->...tu", q, keys, preferred_element_type=jnp.float32)
    if mask is None:
        return product
    return jnp.where(jnp.expand_dims(mask, range(product.ndim - mask.ndim)), product, BLOCKED)


def _mix(weights: Float[Array, "... H T U"], values: Float[Array, "... H U C"]) -> Heads:
    """The values, weighed."""
    return jnp.einsum("...tu,...uc->...tc", weights.astype(values.dtype), values)


def _end_to_end(x: Float[Array, "B K H T C"]) -> Float[Array, "B H K*T C"]:
    """The K streams of an image laid end to end."""
    B, K, H, T, C = x.shape
    return x.transpose(0, 2, 1, 3, 4).reshape(B, H, K * T, C)


def _streams(x: Float[Array, "B H KT C"], k: int) -> Float[Array, "B K H T C"]:
    """The inverse of `_end_to_end`."""
    B, H, KT, C = x.shape
    return x.reshape(B, H, k, KT // k, C).transpose(0, 2, 1, 3, 4)


class _Project(nn.Module):
    """Dense layer from D to heads x channels, heads first in the output."""

    heads: int
    dtype: str
    biased: bool
    width: int | None

    @nn.compact
    def __call__(self, x: Float[Array, "... T D"]) -> Heads:
        width = self.width or x.shape[-1]
        if width % self.heads:
            raise UserError(
                f"A width of {width} cannot be shared out over {self.heads} heads; make it a "
                "multiple."
            )
        shape = (self.heads, width // self.heads)
        init = nn.initializers.xavier_uniform(in_axis=0, out_axis=(1, 2))
        kernel = self.param("kernel", init, (x.shape[-1], *shape))
        y = times_kernel(self, x.astype(self.dtype), kernel.reshape(x.shape[-1], width))
        y = y.reshape(*x.shape[:-1], *shape)
        if self.biased:
            y = y + _like(self.param("bias", nn.initializers.zeros, shape), y)
        return jnp.moveaxis(y, -2, -3)


class _Merge(nn.Module):
    """Dense layer from heads x channels back to D."""

    dtype: str

    @nn.compact
    def __call__(self, x: Heads) -> Float[Array, "... T D"]:
        H, C = x.shape[-3], x.shape[-1]
        init = nn.initializers.xavier_uniform(in_axis=(0, 1), out_axis=2)
        kernel = self.param("kernel", init, (H, C, H * C))
        bias = self.param("bias", nn.initializers.zeros, (H * C,))
        rows = jnp.moveaxis(x, -3, -2).astype(self.dtype)
        rows = rows.reshape(*rows.shape[:-2], H * C)
        y = times_kernel(self, rows, kernel.reshape(H * C, H * C))
        return y + _like(bias, y)


def _like(bias: Array, y: Array) -> Array:
    """The bias in y's dtype and rank (rank promotion is never implicit here)."""
    return jnp.expand_dims(bias.astype(y.dtype), range(y.ndim - bias.ndim))
