"""What a captioner says of an image."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jaxcap.data.text import Tokenizer


@dataclass(frozen=True)
class Caption:
    """What the captioner said of an image.

    Attributes:
      text: the caption; it begins with the prompt if that was made of words.
      score: what the search ranked by, log-probability / length ** length_penalty.
      tokens: those that the model chose after the prompt, the closing EOS among them (absent
        where the caption was cut at the greatest length).
      logprobs: the model's log-probability of each of the tokens.
      ids: those of the prompt, then those of the tokens.
    """

    text: str
    score: float
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    ids: tuple[int, ...]


def captions_of(
    tokenizer: Tokenizer,
    tokens: Int[np.ndarray, "K L"],
    logps: Float[np.ndarray, "K L"],
    scores: Float[np.ndarray, " K"],
    prompt: int,
    num: int,
) -> list[Caption]:
    """The best `num` captions of an image, or as many as the search found.

    Args:
      tokenizer: of the captioner.
      tokens, logps, scores: what the search found, best first (see `jaxcap.decode.Captions`).
      prompt: how many tokens each begins with that were given.
      num: at most.
    """
    kept = []
    for row in range(min(num, int(np.isfinite(scores).sum()))):
        chosen, eos = tokens[row, prompt:].tolist(), tokenizer.eos
        length = chosen.index(eos) + 1 if eos in chosen else len(chosen)
        ids = tuple(tokens[row, : prompt + length].tolist())
        kept.append(
            Caption(
                text=tokenizer.decode(ids),
                score=float(scores[row]),
                tokens=tuple(map(tokenizer.word, ids[prompt:])),
                logprobs=tuple(logps[row, prompt : prompt + length].tolist()),
                ids=ids,
            )
        )
    return kept
