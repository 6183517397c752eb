"""What ids say, as tables: so that an exported captioner is read without `tokenizers`."""

from typing import Any

from tokenizers import decoders

from jaxcap.data.text import Tokenizer, of_bytes
from jaxcap.errors import UserError

Table = list[str | None]


def spelling(tokenizer: Tokenizer, vocab_size: int) -> dict[str, Table]:
    """-> first, what each id says where nothing is said before it, and next, what it adds later.

    None is an id that says nothing and leaves the next one where it would have been. A byte that
    is no character by itself is a surrogate (PEP 383). So with `first` of the first id of a row
    that is not None, and `next` of the others, `Tokenizer.decode` of a row without EOS is

        "".join(said).encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()

    Args:
      tokenizer: of the captioner.
      vocab_size: of its model, which may know more ids than the tokenizer.

    Raises:
      UserError: the tokenizer spells an id by those around it.
    """
    backend: Any = tokenizer.backend
    special = {id for id, token in backend.get_added_tokens_decoder().items() if token.special}
    silent = special | {tokenizer.pad, tokenizer.bos, tokenizer.eos}
    tokens = [backend.id_to_token(id) for id in range(vocab_size)]
    said = [id for id, token in enumerate(tokens) if token is not None and id not in silent]
    if isinstance(backend.decoder, decoders.ByteLevel):
        first = after = [of_bytes(tokens[id]) for id in said]
    elif isinstance(backend.decoder, decoders.WordPiece | decoders.Metaspace | None):
        first = backend.decode_batch([[id] for id in said])
        begun = len(first[0])
        after = [row[begun:] for row in backend.decode_batch([[said[0], id] for id in said])]
    else:
        raise UserError(
            f"The tokenizer of this run decodes by {type(backend.decoder).__name__}, which an "
            "exported captioner cannot; one of words, bytes (GPT-2) or pieces of words (BERT) can "
            "be exported."
        )
    return {"first": _table(tokens, said, first), "next": _table(tokens, said, after)}


def _table(tokens: list[str | None], said: list[int], texts: list[str]) -> Table:
    by_id = dict(zip(said, texts, strict=True))
    return [by_id.get(id) for id in range(len(tokens))]
