"""What a caption that a model drew is worth, computed on the device from its token ids.

tokens -> `spelling` (words) -> `codes` (n-grams) -> `matches` (with references) -> `cider`, `bleu`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
from ml_collections import ConfigDict

from jaxcap.data.text import Tokenizer
from jaxcap.reward.bleu import bleu
from jaxcap.reward.cider import cider
from jaxcap.reward.codes import reference_words
from jaxcap.reward.rarity import Rarity
from jaxcap.reward.spelling import Spelling, Words
from jaxcap.reward.terms import as_long, repeated


@dataclass(frozen=True)
class Reward:
    """The sum of the terms of a caption and its references that `config.reward` gives a weight.

    The divergence is not among them: it is of models, and whoever draws the caption takes it off.

    Attributes:
      config: `config.reward`.
      spelling: of the tokens.
      rarity: of n-grams.
    """

    config: ConfigDict
    spelling: Spelling
    rarity: Rarity

    @classmethod
    def of(
        cls,
        config: ConfigDict,
        tokenizer: Tokenizer,
        vocabulary: int,
        captions: Iterable[Sequence[str]],
    ) -> "Reward":
        """The reward of a tokenizer's ids, for a model of so many words.

        Args:
          config: `config.reward`.
          tokenizer: of the captions.
          vocabulary: V, of the model.
          captions: the references of each image of the training split, without prompts.
        """
        words = ([reference_words(text, config.eos) for text in each] for each in captions)
        return cls(config, Spelling.of(tokenizer, vocabulary), Rarity.of(words))

    def __call__(
        self, tokens: Int[Array, "B K T"], real: Bool[Array, "B K T"], references: Words
    ) -> Float[Array, "B K"]:
        """The reward of K captions of each image.

        Args:
          tokens: of the captions.
          real: True at their tokens, EOS included.
          references: [B, R, W].
        """
        its = self.config
        captions = self.spelling.words(tokens, real, its.eos)
        total = jnp.zeros(tokens.shape[:2], jnp.float32)
        if its.cider:
            total += its.cider * cider(captions, references, self.rarity)
        if its.bleu:
            total += its.bleu * bleu(captions, references)
        if its.length:
            total += its.length * as_long(captions, references)
        if its.repeats:
            total -= its.repeats * repeated(captions)
        return total
