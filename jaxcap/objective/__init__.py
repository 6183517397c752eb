"""What training minimises: the one place where an objective's terms are added up.

Every term is a mean over what it is of: tokens, captions or images. A batch may be worked through
in parts, so a part gives its share of each mean: sums over its own, divided by the counts of the
whole batch.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from jaxcap.data.text import Tokenizer
from jaxcap.errors import UserError
from jaxcap.models.captioning import CaptionModel, caption_logp
from jaxcap.models.seen import SEEN, draws, maps
from jaxcap.models.shown import Shown
from jaxcap.objective.attention import entropy, reinforce, unevenness
from jaxcap.objective.cross_entropy import cross_entropy
from jaxcap.objective.own_words import with_own_words

Batch = Mapping[str, Array]
Means = dict[str, Float[Array, ""]]


class Counts(NamedTuple):
    """How many there are in a batch, at least one of each."""

    tokens: Float[Array, ""]
    captions: Float[Array, ""]
    images: Float[Array, ""]

    @classmethod
    def of(cls, batch: Batch) -> "Counts":
        """Of the real ones."""
        real = (batch["mask"], batch["mask"].any(axis=-1), batch["present"])
        return cls(*(jnp.maximum(each.sum().astype(jnp.float32), 1.0) for each in real))


class Progress(NamedTuple):
    """How far the training is.

    Attributes:
      share: of the steps that are done, 0 to 1.
      baseline: what the log-probability of a token lately was; see `reinforce`.
    """

    share: Float[Array, ""]
    baseline: Float[Array, ""]


Objective = Callable[[Any, Batch, Array, Counts, Progress], tuple[Array, Means]]


def make_objective(model: CaptionModel, config: ConfigDict, tokenizer: Tokenizer) -> Objective:
    """The function (variables, batch, key, counts, progress) -> (loss, means of its terms).

    The captions of the batch may have `weights` [B, K, T], factors of their tokens' losses.

    Args:
      model: that is trained.
      config: `config.objective`.
      tokenizer: of the captions.

    Raises:
      UserError: by the function, when it is compiled: a term is of where a decoder looks, and this
        one looks at nothing.
    """
    smoothing = 0.0 if config.samples else config.smoothing

    def objective(
        variables: Any, batch: Batch, key: Array, counts: Counts, progress: Progress
    ) -> tuple[Array, Means]:
        tokens, mask, shown = batch["tokens"], batch["mask"], Shown.of(batch)
        bos = jnp.full_like(tokens[..., :1], tokenizer.bos)
        inputs = jnp.concatenate([bos, tokens[..., :-1]], axis=-1)
        teach, guess, draw, dream = (jax.random.fold_in(key, use) for use in range(4))

        rngs = {"dropout": teach}
        memory: Any = model.apply(variables, shown, True, method="encode", rngs=rngs)

        def answer(inputs: Array, key: Array) -> Any:
            given = (memory, inputs, True)
            rngs = {"dropout": key}
            return model.apply(variables, *given, method="logits", rngs=rngs, mutable=[SEEN])

        if config.scheduled_sampling:
            share = config.scheduled_sampling * progress.share
            inputs = with_own_words(inputs, answer(inputs, guess)[0], share, tokenizer, draw)
        logits, looked = answer(inputs, teach)
        weights = batch.get("weights", jnp.ones(tokens.shape, jnp.float32))
        words = cross_entropy(logits, tokens, mask, weights, smoothing)
        means = {"nll": words.nll / counts.tokens, "accuracy": words.correct / counts.tokens}
        loss = words.loss / counts.tokens

        seen = maps(looked)
        if config.doubly_stochastic:
            if not seen:
                raise UserError(
                    f"objective.doubly_stochastic is {config.doubly_stochastic}, and this decoder "
                    "looks at no parts of an image. Set it to 0, or choose another "
                    "model.decoder.fusion, such as 'cross'."
                )
            uneven = unevenness(seen, mask).sum() / counts.captions
            loss, means["unevenness"] = loss + config.doubly_stochastic * uneven, uneven
        drawn = draws(looked)
        if drawn is not None:
            spread = entropy(seen, mask).sum() / counts.tokens
            logp = caption_logp(logits, tokens)
            chance = reinforce(drawn, logp, mask, progress.baseline) * weights
            chance = chance.sum() / counts.tokens
            loss = loss + config.reinforce * chance - config.entropy * spread
            means |= {"reinforce": chance, "entropy": spread}
        loss = config.captions * loss

        if config.images:  # a frozen encoder has nothing to learn from its own
            rngs = {"dropout": dream}
            own: Any = model.apply(variables, shown, progress.share, method="losses", rngs=rngs)
            for name, losses in own.items():
                means[name] = losses.sum() / counts.images
                loss = loss + config.images * means[name]
        return loss, {"loss": loss, **means}

    return objective
