"""Attention with a single head, as recurrent decoders look at an image: where a word is from."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.attention import BLOCKED
from jaxcap.models.memory import Memory
from jaxcap.models.product import Dense
from jaxcap.models.seen import DRAWN, SEEN, WEIGHTS

SCORES = ("additive", "multiplicative")
SAMPLED = 0.5  # share of the images at whose tokens hard attention looks one by one, in training

Views = tuple[Float[Array, "B S A"], Float[Array, "B S E"], Bool[Array, "B S"]]


class Look(nn.Module):
    """What K streams see of their image: a mean of its tokens, or one of them.

    Soft attention weighs the tokens by a softmax of their scores: additive (Bahdanau et al.,
    arXiv 1409.0473) or multiplicative, the "general" form (Luong et al., arXiv 1508.04025).

    Hard attention (Xu et al., arXiv 1502.03044) draws one token in training, for half of the
    images; which half is drawn anew each time. The others, and all images outside of training,
    see the mean, which is what the draw is on average. The draw has no gradient: the objective
    learns from its log-probability (`jaxcap.objective.attention`).

    Attributes:
      scores: one of `SCORES`.
      hard: draw in training.
      width: A, of the keys.
      gated: what is seen is multiplied by a gate that the query opens (beta of Xu et al.).
      dtype: of the computation.
    """

    scores: str
    hard: bool
    width: int
    gated: bool
    dtype: str

    def setup(self) -> None:
        if self.scores not in SCORES:
            raise UserError(
                f"There is no attention {self.scores!r}. {did_you_mean(self.scores, SCORES)}"
            )
        self.keys = Dense(self.width, use_bias=False, dtype=self.dtype)
        self.query = Dense(self.width, dtype=self.dtype)
        if self.scores == "additive":
            self.score = self.param(
                "score", nn.initializers.normal(self.width**-0.5), (self.width,)
            )
        if self.gated:
            self.gate = Dense(1, dtype=self.dtype)

    def views(self, memory: Memory) -> Views:
        """What belongs to the image: the keys of its tokens, the tokens, and which are real."""
        tokens = memory.tokens.astype(self.dtype)
        return self.keys(tokens), tokens, memory.mask

    def drawn(self, batch: int, train: bool) -> Bool[Array, " B"]:
        """The images at which hard attention looks token by token, this time."""
        if not (train and self.hard):
            return jnp.zeros(batch, bool)
        return jax.random.bernoulli(self.make_rng("dropout"), SAMPLED, (batch,))

    def __call__(
        self, stream: Float[Array, "B K D"], views: Views, drawn: Bool[Array, " B"], train: bool
    ) -> Float[Array, "B K E"]:
        """What each stream sees; where it looked goes to the collection `SEEN`."""
        keys, tokens, mask = views
        scores = self._scores(self.query(stream), keys).astype(jnp.float32)
        logp = jax.nn.log_softmax(jnp.where(mask[:, None], scores, BLOCKED), axis=-1)
        weights = jnp.exp(logp)
        self.sow(SEEN, WEIGHTS, weights)
        if train and self.hard:
            place = jax.random.categorical(self.make_rng("dropout"), logp)
            one = jax.nn.one_hot(place, logp.shape[-1], dtype=logp.dtype)
            here = drawn[:, None]
            self.sow(SEEN, DRAWN, jnp.where(here, (one * logp).sum(axis=-1), 0.0))
            weights = jnp.where(here[..., None], one, weights)
        seen = jnp.einsum("bks,bsd->bkd", weights.astype(tokens.dtype), tokens)
        return seen * jax.nn.sigmoid(self.gate(stream)) if self.gated else seen

    def _scores(
        self, query: Float[Array, "B K A"], keys: Float[Array, "B S A"]
    ) -> Float[Array, "B K S"]:
        if self.scores == "multiplicative":
            return jnp.einsum("bka,bsa->bks", query, keys)
        return _additive(query, keys, self.score.astype(keys.dtype))


@jax.checkpoint  # S x A numbers for each word are cheaper to make again than to keep
def _additive(
    query: Float[Array, "B K A"], keys: Float[Array, "B S A"], score: Float[Array, " A"]
) -> Float[Array, "B K S"]:
    return jnp.tanh(query[:, :, None] + keys[:, None]) @ score
