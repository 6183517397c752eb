"""METEOR of a whole split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from jaxcap.metrics.meteor.alignment import align
from jaxcap.metrics.meteor.matches import Matcher
from jaxcap.metrics.meteor.normalise import meteor_words, read_abbreviations
from jaxcap.metrics.meteor.package import meteor_files
from jaxcap.metrics.meteor.paraphrases import read_paraphrases
from jaxcap.metrics.meteor.score import meteor_counts, meteor_score
from jaxcap.metrics.meteor.wordnet import WordNet


@dataclass(frozen=True)
class Meteor:
    """METEOR, 0 to 1.

    Attributes:
      images: their ids, in the order of the references.
      counts: of each of them; see `meteor_counts`.
    """

    images: tuple[str, ...]
    counts: Int[np.ndarray, "images 23"]

    @cached_property
    def corpus(self) -> float:
        """Of the counts of all images together; not the mean of the images'."""
        return float(meteor_score(self.counts.sum(axis=0)))

    @cached_property
    def per_image(self) -> dict[str, float]:
        """Image id -> its score."""
        return dict(zip(self.images, meteor_score(self.counts).tolist(), strict=True))


def meteor(
    predictions: Mapping[str, Sequence[str]], references: Mapping[str, Sequence[Sequence[str]]]
) -> Meteor:
    """METEOR 1.5 for English, as the COCO scorer has it computed.

    An image scores by the reference that gives it most. The paraphrases are read anew in each call,
    which takes some three seconds.

    Args:
      predictions: image id -> the words of its caption, as `ptb_words` gives them.
      references: image id -> the words of each of its references, at least one.

    Raises:
      UserError: METEOR's data are not on this machine; `lacking` tells so beforehand.
    """
    files = meteor_files()
    function_words = frozenset(files.lines("function/english.words"))
    abbreviations = read_abbreviations(files.lines("nonbreaking/english.prefixes"))
    wordnet = WordNet(
        files.lines("synonym/english.synsets"), files.lines("synonym/english.exceptions")
    )

    def normalised(words: Sequence[str]) -> list[str]:
        return meteor_words(" ".join(words), abbreviations)

    predicted = {image: normalised(predictions[image]) for image in references}
    expected = {image: [normalised(one) for one in references[image]] for image in references}
    captions = [words for image in expected.values() for words in image]
    matcher = Matcher(wordnet, read_paraphrases(files.paraphrases, predicted.values(), captions))

    counts = []
    for image, words in predicted.items():
        text = matcher.text(words)
        for reference in map(matcher.text, expected[image]):
            alignment = align(words, reference.words, matcher.matches(text, reference))
            counts.append(meteor_counts(words, reference.words, alignment, function_words))
    return Meteor(tuple(predicted), _of_best(np.array(counts), [len(x) for x in expected.values()]))


def _of_best(
    counts: Int[np.ndarray, "captions 23"], references: Sequence[int]
) -> Int[np.ndarray, "images 23"]:
    """Of each image's references the one that gives most; of equally good ones the first."""
    ends = np.cumsum(references)
    scores = np.split(meteor_score(counts), ends[:-1])
    best = np.array([int(np.argmax(each)) for each in scores])
    return counts[ends - references + best]
