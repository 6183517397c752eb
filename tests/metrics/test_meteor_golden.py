"""METEOR as the COCO scorer's Java gave it, and its Java asked again; with pycocoevalcap's data.

The scores of 5,982 captions take some 15 seconds on one core; Java another 10.
"""

import json
import random
import shutil
import subprocess

import numpy as np
import pytest

from jaxcap.metrics.meteor import lacking, meteor
from jaxcap.metrics.meteor.alignment import align
from jaxcap.metrics.meteor.matches import Matcher
from jaxcap.metrics.meteor.normalise import meteor_words, read_abbreviations
from jaxcap.metrics.meteor.package import meteor_files
from jaxcap.metrics.meteor.paraphrases import read_paraphrases
from jaxcap.metrics.meteor.score import meteor_counts
from jaxcap.metrics.meteor.wordnet import WordNet
from jaxcap.metrics.ptb import ptb_words

pytestmark = pytest.mark.skipif(lacking() is not None, reason=f"METEOR {lacking()}")

SPLITS = ["coco_test_magic", "flickr30k_test_magic"]


@pytest.fixture(scope="module")
def golden(reference_data):
    def read(name):
        return json.loads((reference_data / "golden" / f"{name}.json").read_text())

    return read


@pytest.mark.parametrize("split", SPLITS)
def test_scores(golden, split):
    content = golden(split)
    found = meteor(
        {image: words.split() for image, words in content["ptb_predictions"].items()},
        {
            image: [words.split() for words in captions]
            for image, captions in content["ptb_references"].items()
        },
    )
    assert found.corpus == pytest.approx(content["expected"]["METEOR"], abs=1e-12)
    # Kept with six digits.
    assert found.per_image == pytest.approx(content["expected_per_image"]["METEOR"], abs=6e-7)


def counts_of(pairs):
    files = meteor_files()
    function_words = frozenset(files.lines("function/english.words"))
    abbreviations = read_abbreviations(files.lines("nonbreaking/english.prefixes"))
    synsets, exceptions = (
        files.lines(f"synonym/english.{name}") for name in ("synsets", "exceptions")
    )
    cut = [[meteor_words(text, abbreviations) for text in pair] for pair in pairs]
    table = read_paraphrases(files.paraphrases, [a for a, _ in cut], [b for _, b in cut])
    matcher = Matcher(WordNet(synsets, exceptions), table)
    found = []
    for words, reference in cut:
        matches = matcher.matches(matcher.text(words), matcher.text(reference))
        alignment = align(words, reference, matches)
        found.append(meteor_counts(words, reference, alignment, function_words))
    return found


def counts_of_java(pairs):
    """What the program answers to SCORE. It prints a chunk where it then counts none."""
    asked = "".join(f"SCORE ||| {reference} ||| {text}\n" for text, reference in pairs)
    java = ["java", "-Dfile.encoding=UTF-8", "-jar", str(meteor_files().archive)]
    answer = subprocess.run(
        [*java, "-", "-", "-stdio", "-l", "en", "-norm"],
        input=asked.encode(),
        capture_output=True,
        check=True,
        timeout=300,
    )
    found = np.array([line.split() for line in answer.stdout.decode().splitlines()], np.float64)
    whole = (found[:, -3] == 1) & (found[:, :2] == found[:, -2:]).all(axis=1)
    found[whole, -3] = 0
    return found.astype(np.int64).tolist()


@pytest.mark.skipif(shutil.which("java") is None, reason="needs java")
def test_counts_of_the_program_itself(golden):
    """Captions of two images as one, against shuffled ones: long and in doubt everywhere."""
    seeded = random.Random(1)
    captions = [
        caption
        for split in SPLITS
        for image in golden(split)["ptb_references"].values()
        for caption in image
    ]
    pairs = []
    for _ in range(300):
        one, two, three = seeded.sample(captions, 3)
        shuffled = " ".join(seeded.sample(one.split(), len(one.split())))
        pairs += [(one, two), (f"{one} {two}", f"{three} {one}"), (f"{shuffled} {three}", one)]
    small = ["a", "the", "man", "men", "in", "on", "walks", "walking", "street", "road", "sofa"]
    for _ in range(300):
        words, reference = (seeded.choices(small, k=seeded.randint(0, 12)) for _ in range(2))
        pairs.append((" ".join(words), " ".join(reference)))
    marks = "a1zs.,'-`/&$:; é"
    for _ in range(300):
        some = ("".join(seeded.choices(marks, k=30)) for _ in range(2))
        text, reference = (" ".join(ptb_words(caption)) for caption in some)
        pairs.append((text, reference))
    assert counts_of(pairs) == counts_of_java(pairs)
