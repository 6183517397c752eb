"""Beam search written out in plain Python, one image at a time, as an oracle for the loop."""

import math
from collections import Counter
from dataclasses import dataclass, field

from toy import BOS, EOS, Prefixes

from jaxcap.decode import Search

Found = list[tuple[float, tuple[int, ...]]]


@dataclass
class Group:
    """Beams that compete with one another only."""

    live: Found = field(default_factory=lambda: [(0.0, ())])
    done: Found = field(default_factory=list)
    open: bool = True


def beam_search(model: Prefixes, search: Search, prompt: tuple[int, ...] = ()) -> Found:
    """(score, generated tokens) of the captions found, best first; at most `search.beams`."""
    groups = [Group() for _ in range(search.groups)]
    for length in range(1, search.max_len + 1):
        taken: Counter[int] = Counter()
        for group in groups:
            if group.open:
                advance(group, length, model, search, prompt, taken)
                taken.update(said[-1] for _, said in group.live)
    return best_first(caption for group in groups for caption in group.done)


def advance(group, length, model, search, prompt, taken) -> None:
    k = search.beams // search.groups
    grown = best_first(
        (total + score, (*said, word))
        for total, said in group.live
        for word, score in enumerate(allowed(model, search, prompt, said, taken))
        if score > -math.inf
    )[: 2 * k]
    ended = [
        (total / length**search.length_penalty, said)
        for total, said in grown[:k]
        if said[-1] == EOS or length == search.max_len
    ]
    group.done = best_first([*group.done, *ended])[:k]
    group.live = [(total, said) for total, said in grown if said[-1] != EOS][:k]
    group.open = bool(group.live) and not hopeless(group.live[0][0], length, group.done, k, search)


def best_first(captions) -> Found:
    return sorted(captions, key=lambda caption: -caption[0])


def hopeless(best_live: float, length: int, done: Found, k: int, search: Search) -> bool:
    if len(done) < k:
        return False
    if search.early_stopping is True:
        return True
    if search.early_stopping == "never" and search.length_penalty > 0:
        length = search.max_len
    return best_live / length**search.length_penalty <= done[-1][0]


def allowed(model, search, prompt, said, taken=None) -> list[float]:
    """Scores of the next word under the rules; of the model, [V] log-probabilities or logits."""
    before = (BOS, *prompt, *said)
    scores = [float(score) for score in model(prompt + said)]
    never = [-math.inf] * len(scores)
    for word, times in (taken or {}).items():
        scores[word] -= search.diversity * times
    for word in set(before):
        by = search.repetition_penalty
        scores[word] = scores[word] * by if scores[word] < 0 else scores[word] / by
    n = search.no_repeat_ngram
    if n:
        seen = {before[i : i + n] for i in range(len(before) - n + 1)}
        for word in range(len(scores)):
            if (*before[len(before) - n + 1 :], word) in seen:
                scores[word] = -math.inf
    for *begun, last in search.bad_words:
        if (*begun, last) != (EOS,) and before[len(before) - len(begun) :] == tuple(begun):
            scores[last] = -math.inf
    if len(said) < search.min_len:
        scores[EOS] = -math.inf
    if search.forced_bos is not None and len(before) == 1:
        scores = never[:]
        scores[search.forced_bos] = 0.0
    if search.forced_eos is not None and len(said) == search.max_len - 1:
        scores = never[:]
        scores[search.forced_eos] = 0.0
    for word in search.suppress or ():
        scores[word] = -math.inf
    return scores
