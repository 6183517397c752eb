"""Terms of a caption's own form, and the sum of all terms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rewarded import as_tokens, of_images, on_device, words

from jaxcap.config import base
from jaxcap.data.text import build_tokenizer
from jaxcap.reward import Reward
from jaxcap.reward.bleu import bleu
from jaxcap.reward.cider import cider
from jaxcap.reward.terms import as_long, repeated

TOLD = [["a dog runs on the grass", "a brown dog runs"], ["a cat sleeps", "a cat on a bed"]]
TOKENIZER = build_tokenizer("word", [text for each in TOLD for text in each])
SAID = ["a dog runs", "a dog a dog a dog", "grass", "a cat on the grass"]


@pytest.mark.parametrize(
    ("caption", "count"),
    [("a dog", 0), ("a a", 0), ("a a a", 1), ("a dog a dog", 1), ("a dog a dog a dog", 3), ("", 0)],
)
def test_pairs_that_stood_there_before_are_counted(caption, count):
    assert repeated(on_device([caption.split()], 8))[0] == count


def test_a_caption_is_as_long_as_the_mean_of_its_references():
    mine = of_images([[words("a b c"), words("a b c d e f"), words("a")]])
    theirs = of_images([[words("a b"), words("a b c d")]])
    np.testing.assert_allclose(as_long(mine, theirs), [[1.0, 0.5, 1 / 3]], rtol=1e-6)
    padded = of_images([[words("a b"), words("a b c d"), []]])
    np.testing.assert_allclose(as_long(mine, padded), [[1.0, 0.5, 1 / 3]], rtol=1e-6)
    nothing = as_long(mine, of_images([[[], []]]))
    np.testing.assert_array_equal(nothing, np.zeros((1, 3)))


def rewarded(texts, **settings):
    """Rewards of captions of the first image; the last token is EOS where they say it."""
    config = base().reward
    config.update(settings)
    reward = Reward.of(config, TOKENIZER, TOKENIZER.vocab_size, TOLD)
    tokens, real = as_tokens(TOKENIZER, texts, 8)
    tokens = np.where(real, tokens, TOKENIZER.eos)
    ends = np.asarray(real).sum(axis=1)
    real = np.arange(8)[None] <= ends[:, None] if config.eos else real
    theirs = of_images([[text.split() + ["\x03"] * config.eos for text in TOLD[0]]])
    rows = jnp.asarray(tokens)[None], jnp.asarray(real)[None]
    return reward, jax.jit(lambda *given: reward(*given))(*rows, theirs)[0]


def test_the_reward_is_the_weighted_sum_of_its_terms():
    reward, both = rewarded(SAID, eos=False, cider=2.0, bleu=3.0, length=0.5, repeats=0.25)
    mine = of_images([[text.split() for text in SAID]])
    theirs = of_images([[text.split() for text in TOLD[0]]])

    @jax.jit
    def parts(mine, theirs):
        scores = cider(mine, theirs, reward.rarity), bleu(mine, theirs)
        return *scores, as_long(mine, theirs), repeated(mine)

    found = parts(mine, theirs)
    assert all(len(np.unique(part)) > 1 for part in found)  # none is lost among the others
    expected = 2 * found[0] + 3 * found[1] + 0.5 * found[2] - 0.25 * found[3]
    np.testing.assert_allclose(both, expected[0], rtol=1e-5)


def test_the_end_is_worth_something_where_it_is_a_word():
    """Without it, a caption is worth as much broken off as ended, so that a model forgets to."""
    whole, broken = "a dog runs on the grass", "a dog runs on the"
    _, without = rewarded([whole, broken], eos=False)
    _, ended = rewarded([whole, broken], eos=True)
    assert without[0] - without[1] < ended[0] - ended[1]
