"""The captioner in the box: a run directory that is part of the package.

It is `configs/flickr8k_scst.py` with seed 0, made small; rebuilt by

    python -m jaxcap.main --config=configs/flickr8k.py:DIR --workdir=runs/flickr8k
    python -m jaxcap.main --config=configs/flickr8k_scst.py:DIR --workdir=runs/flickr8k_scst
    jaxcap convert runs/flickr8k_scst NEW --to slim

where DIR is Flickr8k as distributed. Its README.md says what it is, what it may be used for and
what it is bad at.
"""

from pathlib import Path

BOXED = Path(__file__).parent / "flickr8k"
