"""The captioner in the box: a run directory that is part of the package.

It is `configs/flickr8k_scst.py` with seed 0, made small; `rebuild.sh` makes it again of Flickr8k as
distributed. Its README.md says what it is, what it may be used for and what it is bad at, and is
written by hand where it goes beyond what `jaxcap convert --to slim` tells.
"""

from pathlib import Path

BOXED = Path(__file__).parent / "flickr8k"
