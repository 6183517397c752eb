"""The library's face: a run directory becomes a function from photographs to captions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice, repeat, zip_longest
from os import PathLike
from typing import Any

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding
from jaxtyping import Float
from ml_collections import ConfigDict

from jaxcap.caption import Caption, captions_of
from jaxcap.data.photo import Photos, photo_pictures, photo_view
from jaxcap.data.showing import Arrays, Showing
from jaxcap.data.text import Tokenizer
from jaxcap.decode import Captions, Search
from jaxcap.decode.captions import captioner, settled
from jaxcap.errors import UserError
from jaxcap.explain import Explanation
from jaxcap.models import build
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.product import for_steps
from jaxcap.reader import Reader
from jaxcap.run import Run
from jaxcap.state import init_variables, linen_variables

BATCHES = (1, 4, 16)  # images in one compiled program; fewer are filled up with blanks
PROGRAMS = 48  # that are kept: one for each search, size of batch and length of prompt


class Captioner:
    """A trained captioner on one device. Make it with `Captioner.load`.

    Attributes:
      config: of the run.
      tokenizer: of the run.
      step: of the checkpoint.
      model, variables: that caption.
    """

    def __init__(
        self,
        config: ConfigDict,
        tokenizer: Tokenizer,
        model: CaptionModel,
        variables: Any,
        step: int,
        settings: dict[str, Any],
    ):
        self.config, self.tokenizer, self.step = config, tokenizer, step
        self.model, self.variables, self._settings = model, variables, settings
        self._showing = Showing.of(config.data)
        self._program = lru_cache(PROGRAMS)(self._compiled)
        self._reader = Reader(model, tokenizer, config.data.max_len)

    @classmethod
    def load(
        cls, run_dir: str | PathLike[str], step: int | None = None, **search: Any
    ) -> "Captioner":
        """The captioner in a run directory; no other file is read.

        Args:
          run_dir: what training wrote.
          step: of the checkpoint; the best by default.
          search: settings of `jaxcap.decode.Search` in place of the run's own.

        Raises:
          UserError: no such run, checkpoint or setting.
        """
        run = Run(run_dir)
        config, tokenizer = run.config(), run.tokenizer()
        settings = {**config.search.to_dict(), **search}
        settled(Search.of(**settings), tokenizer)
        step = run.checkpoint(step)
        model = build(config.model, tokenizer.vocab_size, config.data.max_len + 1)
        here = SingleDeviceSharding(jax.devices()[0])
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here),
            jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0))),
        )
        params, stats = run.restore_model(step, *shapes)
        return cls(config, tokenizer, model, linen_variables(params, stats), step, settings)

    def shown(self, image: Photos, boxes: Any = None) -> Arrays:
        """What the model is shown of an image; `of_shown` captions it.

        Args:
          image: or a list or tuple of several that belong together.
          boxes: of its regions, for a captioner that looks at them: [[left, top, right, bottom],
            ...] in pixels; of several images a list of that for each.

        Raises:
          ImageError: it cannot be read; the message is a sentence that names its path.
          UserError: too many images, or no boxes for a captioner that needs them.
        """
        if isinstance(image, list | tuple):
            return photo_view(image, boxes, self._showing)
        return photo_view([image], None if boxes is None else [boxes], self._showing)

    def __call__(
        self,
        images: Iterable[Photos],
        *,
        boxes: Iterable[Any] | None = None,
        num: int = 1,
        prompt: str = "",
        **search: Any,
    ) -> list[list[Caption]]:
        """The captions of each image, best first.

        Args:
          images: paths, bytes of files, Pillow pictures or uint8 arrays [h, w, 3]; paths of .npz
            files for a captioner of features of regions (see `jaxcap.data.regions`); or lists of
            images that belong together.
          boxes: of the regions of each image, for a captioner that looks at them (see `shown`).
          num: captions of an image, at most `beams`.
          prompt: what every caption begins with; not scored.
          search: settings of `jaxcap.decode.Search` in place of the run's own. Where they leave
            `beams` out, there are at least `num`.

        Raises:
          ImageError: an image cannot be read.
          UserError: a setting out of range, a prompt that the captioner does not know, or not as
            many boxes as images.
        """
        pairs = zip(images, repeat(None)) if boxes is None else _with_boxes(images, boxes)
        shown = (self.shown(*pair) for pair in pairs)
        return self.of_shown(shown, num=num, prompt=prompt, **search)

    def of_shown(
        self,
        shown: Iterable[Arrays],
        *,
        num: int = 1,
        prompt: str = "",
        first: int = 0,
        **search: Any,
    ) -> list[list[Caption]]:
        """As `__call__`, of what `shown` made of each image.

        Batches are of few sizes, each compiled once. Samples are drawn by the image's number:
        `first` is that of the first one.

        Raises:
          UserError: a setting out of range, or a prompt that the captioner does not know.
        """
        given, asked = self.settle(num, prompt, **search)
        found: list[list[Caption]] = []
        left = iter(shown)
        while batch := list(islice(left, BATCHES[-1])):
            rows = self._find(batch, given, asked, first + len(found))
            found += [captions_of(self.tokenizer, *row, len(given), num) for row in rows]
        return found

    def settle(self, num: int = 1, prompt: str = "", **search: Any) -> tuple[list[int], Search]:
        """The ids of the prompt, and the search, that `__call__` makes of its own settings.

        Raises:
          UserError: a setting out of range, or a prompt that the captioner does not know.
        """
        given = self._prompt(prompt)
        found = self._search(num, len(given), search)
        words = len(self.tokenizer.decode(given).split())
        if found.max_words and words > found.max_words:
            raise UserError(
                f"The prompt {prompt!r} has {words} words, and max_words is {found.max_words}."
            )
        if found.min_words > words + found.max_len - 1:
            raise UserError(
                f"min_words is {found.min_words}; captions have at most {found.max_len} tokens, of "
                "which the end is one (search.max_len)."
            )
        return given, found

    def logp(
        self, image: Photos, texts: Sequence[str], boxes: Any = None
    ) -> Float[np.ndarray, " K"]:
        """The log p(text | image) of K texts, each closed by EOS, in one pass.

        Args:
          image, boxes: see `shown`.
          texts: captions.

        Raises:
          ImageError: the image cannot be read.
          UserError: as `shown`; or a text is longer than the captions that the model knows.
        """
        rows = [self._reader.ids(text) for text in texts]
        return self._reader.logps(self.variables, self.shown(image, boxes), rows)

    def explain(
        self, image: Photos, caption: Caption | str | None = None, boxes: Any = None
    ) -> Explanation:
        """Where the decoder looked for each word of a caption, and how sure it was of it.

        Args:
          image, boxes: see `shown`.
          caption: what was found for the image, or any text; by default the best that is found.

        Raises:
          ImageError: the image cannot be read.
          UserError: as `shown`; or a text is longer than the captions that the model knows.
        """
        shown = self.shown(image, boxes)
        if caption is None:
            (found,) = self.of_shown([shown])
            if not found:
                raise UserError("The search found no caption to explain. Give one, or more beams.")
            caption = found[0]
        if isinstance(caption, str):
            text, ids, prompt = caption, self._reader.ids(caption), 0
        else:
            text, ids = caption.text, list(caption.ids)
            prompt = len(ids) - len(caption.tokens)
        reading = self._reader.one(self.variables, shown, ids)
        words = tuple(map(self.tokenizer.word, ids[prompt:]))
        photos = image if isinstance(image, list | tuple) else [image]
        pictures = photo_pictures(photos, self._showing)
        return Explanation.of(reading, slice(prompt, len(ids)), text, words, pictures)

    def logprobs(self, shown: Arrays, caption: Caption) -> Float[np.ndarray, " T"]:
        """The log-probability of each token that a caption chose, whatever the image.

        Args:
          shown: what `shown` made of an image.
          caption: of that or of any other.
        """
        logps = np.asarray(self._reader.one(self.variables, shown, caption.ids).logps)[0]
        return logps[len(caption.ids) - len(caption.tokens) : len(caption.ids)]

    def _prompt(self, prompt: str) -> list[int]:
        ids = self.tokenizer.encode(prompt) if prompt.strip() else []
        if self.tokenizer.unk in ids:
            special = self.tokenizer.backend.get_added_tokens_decoder()
            roles = self.tokenizer.roles.values()
            known = [token.content for id, token in special.items() if id not in roles]
            raise UserError(
                f"The prompt {prompt!r} has words that this captioner has never seen. Use words "
                "of its training captions" + (f", or one of {', '.join(known)}." if known else ".")
            )
        return ids

    def _search(self, num: int, prompt: int, given: Mapping[str, Any]) -> Search:
        """The search for `num` captions, by the settings that are given before the run's own."""
        settings = {"beams": 1, **self._settings, **given}
        longest = self.config.data.max_len - prompt
        asked = given.get("max_len", 1)
        if longest < 1 or asked > longest:
            raise UserError(
                f"A caption of {asked} tokens after a prompt of {prompt} is asked for, but the "
                f"model knows {self.config.data.max_len} in all (data.max_len)."
            )
        settings["max_len"] = min(settings.get("max_len", longest), longest)
        if "beams" not in given:
            settings["beams"] = max(settings["beams"], num)
        search = Search.of(**settings)
        if not 1 <= num <= search.beams:
            raise UserError(
                f"{num} captions an image are asked for; {search.beams} beams find 1 to that."
            )
        return search

    def _find(
        self, shown: list[Arrays], prompt: list[int], search: Search, start: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What the search found for each image of a batch: tokens and logps [K, L], scores [K]."""
        rows = next(size for size in BATCHES if size >= len(shown))
        blank = jax.tree.map(np.zeros_like, shown[0])
        batch = {
            **jax.tree.map(lambda *each: np.stack(each), *shown, *[blank] * (rows - len(shown))),
            "prompt": np.tile(np.asarray(prompt, np.int32), (rows, 1)),
            "prompt_len": np.full(rows, len(prompt), np.int32),
            "index": np.arange(start, start + rows, dtype=np.int32),
        }
        captions = self._program(search, rows, len(prompt))(self._stepping, batch)
        leaves = (captions.tokens, captions.logps, captions.scores)
        return islice(zip(*map(np.asarray, leaves), strict=True), len(shown))

    @cached_property
    def _stepping(self) -> Any:
        return for_steps(self.variables)

    def _compiled(self, search: Search, rows: int, prompt: int) -> Callable[..., Captions]:
        """A function for one shape alone, so that its program is freed when it is forgotten."""
        return jax.jit(captioner(self.model, self.tokenizer, search, self.config.seed))


def _with_boxes(images: Iterable[Photos], boxes: Iterable[Any]) -> Iterator[tuple[Photos, Any]]:
    """Each image and its boxes, one after the other."""
    none: Any = object()
    for number, pair in enumerate(zip_longest(images, boxes, fillvalue=none)):
        if pair[0] is none or pair[1] is none:
            more, fewer = ("boxes", "images") if pair[0] is none else ("images", "boxes")
            raise UserError(f"There are more {more} than {fewer}, of which there are {number}.")
        yield pair
