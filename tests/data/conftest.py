"""Two small data sets that the readers are tried on."""

import numpy as np
import pytest
from folders import F, jpeg, write, write_tfds


@pytest.fixture
def flickr8k(tmp_path):
    """Two training images that are the same photograph, one dev image; a ghost in the tokens."""
    tokens = [
        "a.jpg#0\tA dog .",
        "a.jpg#1\tA",
        "twin.jpg#0\tA dog again .",
        "2258277193_586949ec62.jpg.1#0\tNobody ever saw this .",
        "dev.jpg#0\tA cat .",
    ]
    return write(
        tmp_path,
        {
            "Images/a.jpg": jpeg(1),
            "Images/twin.jpg": jpeg(1),
            "Images/dev.jpg": jpeg(2),
            "Flickr8k.token.txt": "\n".join(tokens) + "\n",
            "Flickr_8k.trainImages.txt": "a.jpg\ntwin.jpg\n",
            "Flickr_8k.devImages.txt": "dev.jpg",
        },
    )


@pytest.fixture
def coco_like(tmp_path):
    """The features of TFDS' own coco_captions."""
    features = {
        "image": F.Image(encoding_format="jpeg"),
        "image/filename": F.Text(),
        "image/id": F.Scalar(np.int64),
        "captions": F.Sequence({"id": F.Scalar(np.int64), "text": F.Text()}),
        "objects": F.Sequence({"bbox": F.BBoxFeature(), "is_crowd": F.Scalar(np.bool_)}),
    }
    examples = [
        {
            "image": jpeg(number),
            "image/filename": f"{number}.jpg",
            "image/id": 100 + number,
            "captions": [{"id": k, "text": f"é {number} {k}"} for k in range(number)],
            "objects": [],
        }
        for number in range(1, 6)
    ]
    return write_tfds(tmp_path / "data" / "made" / "1.0.0", features, examples)
