"""A run's tokenizer in the files that Transformers reads."""

import json
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from jaxcap.atomic import write_text
from jaxcap.data.text import Tokenizer

WORDS = r"\w+(?:['-]\w+)*|[^\w\s]"  # words, and marks one by one


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json.

    `transformers.AutoTokenizer.from_pretrained(folder)` reads them, and decodes the ids of a
    caption to the same text. What it encodes is cut nearly as here: the words of a "word"
    tokenizer are those of the Penn treebank, of whose rules it knows the common ones.
    """
    backend = Backend.from_str(tokenizer.backend.to_str())
    if tokenizer.kind == "word":
        backend.normalizer = normalizers.Lowercase()
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.WhitespaceSplit(),
                pre_tokenizers.Split(Regex(WORDS), "isolated"),
            ]
        )
    backend.save(str(folder / "tokenizer.json"))
    roles = {role: backend.id_to_token(id) for role, id in tokenizer.roles.items() if id >= 0}
    said = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **{f"{role}_token": token for role, token in roles.items()},
    }
    write_text(folder / "tokenizer_config.json", json.dumps(said, indent=2) + "\n")
