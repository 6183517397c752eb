"""What self-critical training makes of an image: the prompt of its captions, and its references."""

from dataclasses import dataclass

import grain
import numpy as np

from jaxcap.data.image import ImageError
from jaxcap.data.pipeline import Batch, View, prompt_row
from jaxcap.data.record import Record, Source
from jaxcap.data.text import Tokenizer
from jaxcap.reward.codes import in_rows, reference_words


@dataclass(frozen=True)
class RewardExample(grain.transforms.RandomMap):
    """An image with R of its captions as words, chosen at random; fewer where it has fewer.

    Where captions begin with a prompt, it is that of one of them, and the others are of the same.

    Attributes:
      source, view, tokenizer: see `jaxcap.data.pipeline.TrainExample`.
      references: R.
      longest: W, words of a reference, at most; past them it is cut.
      end: whether EOS is a word.
    """

    source: Source
    view: View
    tokenizer: Tokenizer
    references: int
    longest: int
    end: bool

    def random_map(self, index: int, rng: np.random.Generator) -> Batch:
        """-> image or memory, prompt [P], prompt_len, index, reference_codes, reference_real.

        The codes of references are [R, W, 2], in halves; those that are real, [R, W].
        """
        told = split_prompts(self.source.told(index), self.source.prompts)
        chosen = [told[place] for place in rng.permutation(len(told))]
        prompt = chosen[0][0] if chosen else ""
        texts = [text for head, text in chosen if head == prompt][: self.references]
        try:
            shown = self.view(index, rng)
        except ImageError:
            shown, texts = self.view.blank(), []
        words = [reference_words(text, self.end) for text in texts]
        codes, real = in_rows([*words, *[[]] * (self.references - len(words))], self.longest)
        return {
            **shown,
            **prompt_row(self.tokenizer, self.source, prompt),
            "reference_codes": np.stack(codes, axis=-1),
            "reference_real": real,
            "index": np.int32(index),
        }


def split_prompts(record: Record, prompts: tuple[str, ...]) -> list[tuple[str, str]]:
    """The captions of a record, each as the prompt that it begins with, if any, and the rest."""
    found = []
    for text in record.captions:
        head, _, rest = text.strip().partition(" ")
        found.append((head, rest) if head in prompts else (record.prompt, text))
    return found
