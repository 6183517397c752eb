"""Self-critical training: captions that the model draws, each weighted by what it is worth.

Rennie et al., arXiv 1612.00563, with the mean reward of an image's other samples for a baseline
(Luo, arXiv 2003.09971; Kool et al., 2019). Captions are drawn as a search draws them that has no
other rules than the words it suppresses, by the model as it captions, without dropout and all from
one encoding of the image; those of a whole batch at once, also where it is learnt from in parts.

How they are learnt from is no concern of this: they are the K captions of a batch, with a weight
each. Labels that are drawn are not smoothed. Where the config has dropout, the gradient is taken
with it, as with any captions: the published recipes draw with dropout too, which makes the samples
worse than those of the model that is evaluated.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
from ml_collections import ConfigDict

from jaxcap.data.text import Tokenizer
from jaxcap.decode import Captions, Search
from jaxcap.decode.captions import find, settled
from jaxcap.decode.hypotheses import gather
from jaxcap.models.captioning import CaptionModel, caption_logp
from jaxcap.models.shown import Shown
from jaxcap.partition import by_device
from jaxcap.reward import Reward
from jaxcap.reward.codes import Codes
from jaxcap.reward.spelling import Words

Batch = Mapping[str, Array]
Means = dict[str, Float[Array, ""]]


class Given(flax.struct.PyTreeNode):
    """What captions are drawn with, the same for all images.

    Attributes:
      variables: of the model.
      anchor: those that it began with; None where nobody asks.
      key: of this step.
    """

    variables: Any
    anchor: Any
    key: Array


class Drawn(flax.struct.PyTreeNode):
    """K captions that were drawn of each image.

    Attributes:
      tokens, mask: as those of the data.
      logp: of the whole caption.
      divergence: how much likelier than by the first model; 0 where that is not asked. Where only
        the log tells of it, of one caption alone.
      reward: of the caption; and of the greedy one.
    """

    tokens: Int[Array, "B K T"]
    mask: Bool[Array, "B K T"]
    logp: Float[Array, "B K"]
    divergence: Float[Array, "B S"]
    reward: Float[Array, "B K"]
    greedy: Float[Array, " B"]


def policy(model: CaptionModel, config: ConfigDict, tokenizer: Tokenizer) -> CaptionModel:
    """The model that draws captions and learns of them: the same in both, to the last word.

    A search suppresses words that say nothing. Were they left to the model that learns, it would
    move to them, unseen, all that it takes from captions of little worth.

    Args:
      model: that captions.
      config: of the experiment, with the temperature, and with its search.
      tokenizer: that knows which words say nothing, if the search does not.
    """
    search = Search.of(**{"max_len": config.data.max_len, **config.search.to_dict()})
    search = settled(search, tokenizer)
    return model.clone(temperature=config.objective.temperature, never=search.suppress)


def make_drawing(
    model: CaptionModel, config: ConfigDict, tokenizer: Tokenizer, reward: Reward
) -> Callable[[Given, Batch], tuple[dict[str, Array], Means]]:
    """The function (given, batch) -> (batch, means): what is drawn, in the place of captions.

    The batch that it is given has the fields of `jaxcap.reward.example.RewardExample`; the one
    that it gives those of `Shown`, and `tokens`, `mask` and `weights` [B, K, T].

    Args:
      model: that draws, a `policy`.
      config: of the experiment.
      tokenizer: of the captions.
      reward: of a caption.
    """
    its, T = config.objective, config.data.max_len

    def draw(given: Given, batch: Batch) -> Drawn:
        search = Search(max_len=T - batch["prompt"].shape[1], suppress=model.never)
        memory = model.apply(given.variables, Shown.of(batch), method="encode")

        def found(**settings: Any) -> Captions:
            how = replace(search, **settings)
            return find(model, tokenizer, how, given.variables, memory, batch, given.key)

        def worth(tokens: Array, mask: Array) -> Array:
            return reward(tokens, mask, references)

        references = references_of(batch)
        samples, best = found(beams=its.samples, sample=True), found(beams=1)
        mask, its_mask = (said(each.tokens, batch, tokenizer.eos) for each in (samples, best))
        logp = jnp.where(mask, samples.logps, 0).sum(axis=-1)
        divergence = jnp.zeros_like(logp)
        if given.anchor is not None:
            asked = samples.tokens, mask, logp
            if not config.reward.kl:  # the likeliest come first: of each image another place
                place = batch["index"][:, None] % its.samples
                asked = jax.tree.map(lambda leaf: gather(leaf, place), asked)
            tokens, real, now = asked
            divergence = now - logp_of(model, given.anchor, batch, tokens, real, tokenizer.bos)
        return Drawn(
            tokens=samples.tokens,
            mask=mask,
            logp=logp,
            divergence=divergence,
            reward=worth(samples.tokens, mask) - config.reward.kl * divergence,
            greedy=worth(best.tokens, its_mask)[:, 0],
        )

    def drawing(given: Given, batch: Batch) -> tuple[dict[str, Array], Means]:
        mesh = jax.sharding.get_abstract_mesh()
        drawn = (draw if mesh.empty else by_device(draw, mesh))(given, batch)
        present = batch["present"].any(axis=1)
        baseline = drawn.greedy[:, None] if its.baseline == "greedy" else others(drawn.reward)
        advantage = drawn.reward - baseline
        shown = {each.name: batch[each.name] for each in fields(Shown) if each.name in batch}
        weights = jnp.where(drawn.mask, advantage[..., None], 0)
        learnt = {**shown, "tokens": drawn.tokens, "mask": drawn.mask, "weights": weights}
        return learnt, _means(drawn, advantage, present, tokenizer.eos)

    return drawing


def references_of(batch: Batch) -> Words:
    """The references of a batch, [B, R, W]."""
    codes = batch["reference_codes"]
    return Words(Codes(codes[..., 0], codes[..., 1]), batch["reference_real"])


def said(tokens: Int[Array, "B K T"], batch: Batch, eos: int) -> Bool[Array, "B K T"]:
    """Which tokens the model said: those after the prompt, to EOS and with it.

    Of an image that could not be shown there are none.
    """
    start = batch["prompt_len"][:, None, None]
    place = jnp.arange(tokens.shape[-1])[None, None]
    after = (place >= start) & (place < start + tokens.shape[-1] - batch["prompt"].shape[1])
    ends = ((tokens == eos) & after).astype(jnp.int32)
    unended = ends.cumsum(axis=-1) - ends == 0
    return after & unended & batch["present"].any(axis=1)[:, None, None]


def others(reward: Float[Array, "B K"]) -> Float[Array, "B K"]:
    """The mean reward of an image's other captions."""
    return (reward.sum(axis=1, keepdims=True) - reward) / (reward.shape[1] - 1)


def logp_of(
    model: CaptionModel, variables: Any, batch: Batch, tokens: Array, mask: Array, bos: int
) -> Float[Array, "B K"]:
    """The log-probability of whole captions by other variables than drew them."""
    memory = model.apply(variables, Shown.of(batch), method="encode")
    inputs = jnp.concatenate([jnp.full_like(tokens[..., :1], bos), tokens[..., :-1]], axis=-1)
    logits: Any = model.apply(variables, memory, inputs, method="logits")
    return jnp.where(mask, caption_logp(logits, tokens), 0).sum(axis=-1)


def _means(
    drawn: Drawn, advantage: Float[Array, "B K"], present: Bool[Array, " B"], eos: int
) -> Means:
    """What the log tells of the captions, over the images that are there."""
    tokens = drawn.mask.sum().astype(jnp.float32)

    def mean(values: Float[Array, "B *K"]) -> Float[Array, ""]:
        each = values.reshape(len(present), -1).mean(axis=1)
        real = present.astype(jnp.float32)
        return (each * real).sum() / jnp.maximum(real.sum(), 1)

    same = (drawn.tokens[:, :, None] == drawn.tokens[:, None]).all(axis=-1)
    again = jnp.tril(same, -1).any(axis=-1)  # the same as one before it
    unended = ~((drawn.tokens == eos) & drawn.mask).any(axis=-1)
    return {
        "reward": mean(drawn.reward),
        "reward_greedy": mean(drawn.greedy),
        "advantage": jnp.sqrt(mean(advantage**2)),
        "token_entropy": -drawn.logp.sum() / jnp.maximum(tokens, 1),
        "kl": mean(drawn.divergence),
        "length": mean(drawn.mask.sum(axis=-1).astype(jnp.float32)),
        "distinct": mean(1 - again.astype(jnp.float32)),
        "unended": mean(unended.astype(jnp.float32)),
    }
