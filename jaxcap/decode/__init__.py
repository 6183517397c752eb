"""From a model's next-token logits to whole captions: one loop, for greedy, beams and samples."""

from jaxcap.decode.hypotheses import Captions
from jaxcap.decode.loop import decode
from jaxcap.decode.search import Search

__all__ = ["Captions", "Search", "decode"]
