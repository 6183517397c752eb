"""The settings of a source's `generate`, as those of the search here."""

from collections.abc import Mapping
from typing import Any

from jaxcap.errors import UserError

START = 1  # Transformers counts the token that every caption starts with, the search does not
LONGEST = 20  # tokens of a caption, its start not counted, where a source says nothing

PLAIN = {  # there: here, with the same meaning
    "num_beams": "beams",
    "do_sample": "sample",
    "length_penalty": "length_penalty",
    "early_stopping": "early_stopping",
    "num_beam_groups": "groups",
    "diversity_penalty": "diversity",
    "no_repeat_ngram_size": "no_repeat_ngram",
    "repetition_penalty": "repetition_penalty",
    "bad_words_ids": "bad_words",
    "forced_bos_token_id": "forced_bos",
    "forced_eos_token_id": "forced_eos",
    "suppress_tokens": "suppress",
}
OF_SAMPLES = {"temperature": 1.0, "top_k": 50, "top_p": 1.0}  # as they are where nothing is said
NEUTRAL = {  # what is not built here, and the value with which it does nothing
    "begin_suppress_tokens": None,
    "constraints": None,
    "dola_layers": None,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "exponential_decay_length_penalty": None,
    "force_words_ids": None,
    "guidance_scale": None,
    "min_p": None,
    "penalty_alpha": None,
    "renormalize_logits": False,
    "sequence_bias": None,
    "stop_strings": None,
    "top_h": None,
    "typical_p": 1.0,
    "watermarking_config": None,
}
WHOLE = (
    "num_beams",
    "num_beam_groups",
    "no_repeat_ngram_size",
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "top_k",
)
REAL = ("length_penalty", "diversity_penalty", "repetition_penalty", "temperature", "top_p")
FORMS = (  # fields, the types that they may have, and how these are called
    (WHOLE, (int,), "a whole number"),
    (REAL, (int, float), "a number"),
    (("do_sample",), (bool,), "true or false"),
)


def search_settings(said: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What the search does as `generate` does with these fields, and nothing that is default.

    No id is kept from the search unless the source says so: a network may say any of its words.
    Lengths that count a prompt there count what follows it here; they differ where there is one.

    Args:
      said: of generation_config.json, or of a config.json from before there was that file.
      where: it is from, for messages.

    Raises:
      UserError: a field asks for what the search cannot do.
    """
    for names, kinds, expected in FORMS:
        for name in names:
            if said.get(name) is not None and type(said[name]) not in kinds:
                raise UserError(f"{where} says {name} = {said[name]!r}; expected {expected}.")
    for name, value in NEUTRAL.items():
        if said.get(name) not in (None, value):
            raise UserError(
                f"{where} says {name} = {said[name]!r}; the search here has nothing like it. "
                "Remove the line, and the captions may differ from Transformers'."
            )
    if said.get("do_sample") and (said.get("num_beams") or 1) > 1:
        raise UserError(
            f"{where} says do_sample with num_beams = {said['num_beams']}: beams that are drawn "
            "are not built here. Set one of the two."
        )
    found = {ours: said[name] for name, ours in PLAIN.items() if said.get(name) is not None}
    if found.get("sample"):
        found |= OF_SAMPLES | {
            name: said[name] for name in OF_SAMPLES if said.get(name) is not None
        }
    longest = _length(said, "max", LONGEST)
    return {"suppress": (), **found, "max_len": longest, "min_len": _length(said, "min", 0)}


def _length(said: Mapping[str, Any], end: str, default: int) -> int:
    """The greatest or the least length; what is said of new tokens goes before what is of all."""
    if (new := said.get(f"{end}_new_tokens")) is not None:
        return new
    whole = said.get(f"{end}_length")
    return default if whole is None else max(whole - START, 0)


def generation_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of generation_config.json: the opposite of `search_settings`.

    Args:
      settings: of the search, with its `suppress` resolved to ids.

    Raises:
      UserError: `generate` has no such search.
    """
    if settings.get("sample") and settings["beams"] > 1:
        raise UserError(
            f"The search of this run draws {settings['beams']} captions and takes the best of them "
            "(search.sample with search.beams); Transformers' generate has nothing like it. Set "
            "search.beams to 1, or search.sample to false."
        )
    if settings["groups"] > 1:
        raise UserError(
            f"The search of this run has {settings['groups']} diverse groups (search.groups); "
            "generate of Transformers 5 has them no longer. Set search.groups to 1 and "
            "search.diversity to 0 in the run's config.json."
        )
    if settings["min_words"] or settings["max_words"]:
        raise UserError(
            "The search of this run counts words (search.min_words, search.max_words), and "
            "Transformers' generate counts tokens. Set search.min_len and search.max_len instead."
        )
    back = {ours: name for name, ours in PLAIN.items()}
    back |= {name: name for name in OF_SAMPLES} if settings.get("sample") else {}
    said = {back[ours]: value for ours, value in settings.items() if ours in back}
    said["max_length"] = settings["max_len"] + START
    if settings.get("min_len"):
        said["min_new_tokens"] = settings["min_len"]
    return {name: value for name, value in said.items() if value not in ((), [], None)}
