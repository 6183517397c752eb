"""METEOR 1.5 for English, with the numbers of the COCO scorer's Java program, in Python.

What it computes is published (Banerjee and Lavie, 2005; Denkowski and Lavie, 2011 and 2014): words
are matched by themselves, their stems, their WordNet senses and a table of paraphrases; the matches
are made an alignment; its precision, recall and fragmentation make the score. What the papers leave
open was found by asking the program, as a black box, for 30,000 alignments of captions and many
more of made-up sentences. Nothing was taken from its source.

The word lists, the WordNet data and the paraphrases are read from an installed pycocoevalcap; they
are not part of this project. Java is not needed.
"""

from jaxcap.metrics.meteor.corpus import Meteor, meteor
from jaxcap.metrics.meteor.package import lacking

__all__ = ["Meteor", "lacking", "meteor"]
