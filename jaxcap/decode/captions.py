"""The search with a captioning model in it: a batch of images -> their captions."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
from jaxtyping import Array

from jaxcap.data.text import Tokenizer
from jaxcap.decode.hypotheses import Captions
from jaxcap.decode.loop import decode
from jaxcap.decode.search import Search
from jaxcap.decode.words import Words
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.shown import Shown


def captioner(
    model: CaptionModel, tokenizer: Tokenizer, search: Search, seed: int = 0
) -> Callable[[Any, Mapping[str, Array]], Captions]:
    """The function (variables, batch) -> Captions; the image is encoded once for all K of them.

    The batch has the fields of `Shown`, `prompt` [B, P], `prompt_len` [B] and `index` [B]. What is
    sampled for an image depends on the seed and its index, not on its place in a batch.

    Raises:
      UserError: as `settled`.
    """
    search = settled(search, tokenizer)

    def caption(variables: Any, batch: Mapping[str, Array]) -> Captions:
        memory = model.apply(variables, Shown.of(batch), method="encode")
        return find(model, tokenizer, search, variables, memory, batch, jax.random.key(seed))

    return caption


def find(
    model: CaptionModel,
    tokenizer: Tokenizer,
    search: Search,
    variables: Any,
    memory: Any,
    batch: Mapping[str, Array],
    key: Array,
) -> Captions:
    """The captions of images that are encoded.

    Args:
      model: that captions.
      tokenizer: of the captions.
      search: that is `settled`.
      variables: of the model.
      memory: of the images.
      batch: with `prompt` [B, P], `prompt_len` [B] and `index` [B].
      key: of what is sampled, together with an image's index.
    """

    def step(state: Any, token: Array, position: Array) -> tuple[Array, Any]:
        return model.apply(variables, context, state, token, position, method="step")

    prompt = batch["prompt"]
    length = prompt.shape[1] + search.max_len
    context, state = model.apply(variables, memory, search.beams, length, method="prefill")
    return decode(
        step,
        state,
        search,
        prompt=prompt,
        prompt_len=batch["prompt_len"],
        keys=jax.vmap(jax.random.fold_in, (None, 0))(key, batch["index"]),
        bos=tokenizer.bos,
        eos=tokenizer.eos,
        pad=tokenizer.pad,
        words=Words.of(tokenizer) if search.counts_words else None,
    )


def settled(search: Search, tokenizer: Tokenizer) -> Search:
    """The search with the tokenizer's choice of what is never said, if it has none of its own.

    Raises:
      UserError: an id that is forced is among them.
    """
    if search.suppress is None:
        search = replace(search, suppress=tokenizer.banned)
    return search
