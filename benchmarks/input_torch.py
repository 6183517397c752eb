"""Batches of photographs as PyTorch's users make them: a Dataset with Pillow, and a DataLoader."""

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from jaxcap.data.pipeline import token_rows
from jaxcap.data.text import Tokenizer

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
KINDS = {
    "float": "normalised float32, as torchvision's ToTensor and Normalize give it",
    "uint8": "the pixels as they are, from a JPEG decoded at half its size where that is enough",
    "tensor": "the same, and resized by PyTorch's own code for bytes, as torchvision's v2 does",
}


class Photographs(Dataset):
    """A random part of each photograph, resized with a bicubic filter, and its captions' ids.

    torchvision is not needed: this is what its RandomResizedCrop does, with a part that has the
    photograph's own proportions, so that all contenders resize as many pixels.
    """

    def __init__(
        self, paths: Sequence[Path], captions: list[str], tokenizer: Tokenizer, kind: str, **show
    ):
        self.paths, self.captions, self.tokenizer, self.kind = paths, captions, tokenizer, kind
        self.side, self.share, self.max_len = show["side"], show["share"], show["max_len"]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
        """-> pixels [3, side, side], tokens [K, T], mask [K, T]."""
        with Image.open(self.paths[index]) as image:
            tokens, mask = token_rows(
                self.tokenizer, self.captions, len(self.captions), self.max_len
            )
            return self._pixels(image), tokens, mask

    def _pixels(self, image: Image.Image) -> torch.Tensor:
        length = float(torch.empty(1).uniform_(self.share, 1).sqrt())
        before = image.size
        if self.kind != "float":  # no part is enlarged that would not have been
            image.draft(
                "RGB",
                tuple(round(self.side * each / min(length * np.array(before))) for each in before),
            )
        image = image.convert("RGB")
        width, height = (round(length * each) for each in image.size)
        left = int(torch.randint(image.width - width + 1, (1,)))
        top = int(torch.randint(image.height - height + 1, (1,)))
        part = image.crop((left, top, left + width, top + height))
        if self.kind == "tensor":
            pixels = torch.from_numpy(np.array(part)).permute(2, 0, 1)[None]
            size = (self.side, self.side)
            return torch.nn.functional.interpolate(
                pixels, size=size, mode="bicubic", antialias=True
            )[0]
        square = part.resize((self.side, self.side), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)
        if self.kind == "uint8":
            return pixels
        return pixels.contiguous().to(torch.float32).div(255).sub_(MEAN).div_(STD)


def batches(
    photographs: Photographs, batch_size: int, workers: int
) -> Generator[list[torch.Tensor], None, None]:
    """An epoch of them; its workers end with the generator."""
    torch.set_num_threads(1)  # more of them only stand in one another's way
    best = {"prefetch_factor": 4} if workers and photographs.kind != "float" else {}
    yield from DataLoader(
        photographs, batch_size, shuffle=True, num_workers=workers, drop_last=True, **best
    )
