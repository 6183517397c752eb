"""An exported captioner, read again: by jax, flatbuffers and numpy alone, and no model.

A script can do the same without jaxcap; `jaxcap.export` shows how.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import Any

import jax
import numpy as np
from jax import export

from jaxcap.errors import UserError

# The file is a zip of these.
CARD = "card.json"  # what it is; see `jaxcap.export.write`
WORDS = "words.json"  # see `jaxcap.export.words`
FRAME, CAPTION = "frame", "caption"  # see `jaxcap.export.programs`
WEIGHTS = "weights.npz"  # by path
FORMAT = "jaxcap captioner 1"

BATCHES = (1, 4, 16)  # images in one compiled program; fewer are filled up with blanks
STEP = 512  # pixels; photographs are filled up to multiples of it, so that few programs are made


@dataclass(frozen=True)
class Said:
    """A caption.

    Attributes:
      text: of it.
      score: what the search ranked by, log-probability / length ** length_penalty.
      ids: of the prompt, if there is one, then of the caption, with EOS if that closes it.
      logprobs: the log-probability of each of the ids; 0 for those of the prompt.
    """

    text: str
    score: float
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Exported:
    """A captioner that was exported. Make it with `load`.

    Attributes:
      card: what it was made of: step, search, frame, license and versions.
      platforms: that it runs on.
    """

    def __init__(
        self,
        card: dict[str, Any],
        words: dict[str, Any],
        frame: export.Exported,
        caption: export.Exported,
        weights: dict[str, np.ndarray],
    ):
        self.card, self.platforms = card, caption.platforms
        self._first, self._next = words["first"], words["next"]
        self._frame, self._caption = jax.jit(frame.call), jax.jit(caption.call)
        self._weights = jax.device_put(weights)

    def __call__(self, images: Iterable[np.ndarray]) -> list[str]:
        """The best caption of each image; "" where the search found none.

        Args:
          images: uint8 [B, h, w, 3] in RGB, upright; or one [h, w, 3] after the other, of any size.

        Raises:
          UserError: an image is something else.
        """
        return [found[0].text if found else "" for found in self.captions(images)]

    def captions(self, images: Iterable[np.ndarray]) -> list[list[Said]]:
        """All captions that the search found for each image, best first.

        Args:
          images: see `__call__`.

        Raises:
          UserError: an image is something else.
        """
        found: list[list[Said]] = []
        left = map(self._square, images)
        while batch := list(islice(left, BATCHES[-1])):
            rows = next(size for size in BATCHES if size >= len(batch))
            squares = np.stack(batch + [np.zeros_like(batch[0])] * (rows - len(batch)))
            index = np.arange(len(found), len(found) + rows, dtype=np.int32)
            captions = self._caption(self._weights, squares, index)
            leaves = [np.asarray(captions[name]) for name in ("tokens", "logps", "scores")]
            found += [self._said(*(leaf[row] for leaf in leaves)) for row in range(len(batch))]
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The caption of a row of ids: up to EOS, without prompts and other special tokens."""
        ids, eos = list(ids), self.card["eos"]
        end = ids.index(eos) if eos in ids else len(ids)
        kept = [id for id in ids[:end] if self._next[id] is not None]
        said = ((self._next if place else self._first)[id] for place, id in enumerate(kept))
        # Bytes that are no characters by themselves are surrogates; together they may be some.
        return "".join(said).encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()

    def _square(self, image: np.ndarray) -> np.ndarray:
        """What the model is shown of an image."""
        if getattr(image, "dtype", None) != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            told = getattr(image, "dtype", type(image).__name__), np.shape(image)
            raise UserError(
                f"An image is {told[0]} {list(told[1])}; expected uint8 [height, width, 3]."
            )
        if not image.size:
            raise UserError(f"An image has no pixels: its shape is {list(image.shape)}.")
        beyond = [(0, -side % STEP) for side in image.shape[:2]]
        filled = np.pad(image, (*beyond, (0, 0)))
        return np.asarray(self._frame(filled[None], np.array(image.shape[:2], np.int32)))[0]

    def _said(self, tokens: np.ndarray, logps: np.ndarray, scores: np.ndarray) -> list[Said]:
        """The captions of an image, of which fewer may be found than are asked for."""
        given, eos, found = self.card["given"], self.card["eos"], []
        for row in range(int(np.isfinite(scores).sum())):
            chosen = tokens[row, given:].tolist()
            end = given + (chosen.index(eos) + 1 if eos in chosen else len(chosen))
            ids = tuple(tokens[row, :end].tolist())
            text, logprobs = self.decode(ids), tuple(logps[row, :end].tolist())
            found.append(Said(text, float(scores[row]), ids, logprobs))
        return found


def load(path: str | PathLike[str]) -> Exported:
    """The captioner that `jaxcap export` wrote to a file.

    Raises:
      UserError: there is none, it is damaged, or it needs another jax.
    """
    parts = _read(path)
    card = json.loads(parts[CARD])
    if card.get("format") != FORMAT:
        raise UserError(
            f"{path} has the format {card.get('format')!r}, and this jaxcap reads {FORMAT!r}. "
            "Export the run again, or read it with the jaxcap that wrote it: "
            f"{card.get('jaxcap')}."
        )
    try:
        frame, caption = (export.deserialize(bytearray(parts[name])) for name in (FRAME, CAPTION))
        for program in (frame, caption):
            program.mlir_module()  # which is where a newer jax is found out
    except Exception as error:  # whatever jax makes of programs of another jax
        raise UserError(
            f"The programs in {path} were written by jax {card['jax']}, and jax {jax.__version__} "
            f"cannot read them: {error}. Export the run again with this jax, or install that one "
            "or a newer."
        ) from error
    weights = dict(np.load(io.BytesIO(parts[WEIGHTS])))
    return Exported(card, json.loads(parts[WORDS]), frame, caption, weights)


def _read(path: str | PathLike[str]) -> dict[str, bytes]:
    """The parts of a file, each as it was written: a zip has a checksum of each."""
    try:
        with zipfile.ZipFile(path) as file:
            return {name: file.read(name) for name in (CARD, WORDS, FRAME, CAPTION, WEIGHTS)}
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error, ValueError) as error:
        raise UserError(
            f"{path} is damaged, or no exported captioner: {error}. Copy it again, or make one: "
            "jaxcap export RUN FILE"
        ) from error
