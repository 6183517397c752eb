"""Beam search written out in plain Python, one image at a time, as an oracle for the loop."""

import math

from toy import EOS, Prefixes

from jaxcap.decode import Search


def beam_search(
    model: Prefixes, search: Search, prompt: tuple[int, ...] = (), banned: tuple[int, ...] = ()
) -> list[tuple[float, tuple[int, ...]]]:
    """(score, generated tokens) of the captions found, best first; at most `search.beams`."""
    K, live, done = search.beams, [(0.0, ())], []
    for length in range(1, search.max_len + 1):
        grown = [
            (total + logp, (*said, word))
            for total, said in live
            for word, logp in enumerate(allowed(model, search, prompt, said, banned))
            if logp > -math.inf
        ]
        grown = sorted(grown, key=lambda candidate: -candidate[0])[: 2 * K]
        for total, said in grown[:K]:
            if said[-1] == EOS or length == search.max_len:
                done.append((total / length**search.length_penalty, said))
        done = sorted(done, key=lambda candidate: -candidate[0])[:K]
        live = [(total, said) for total, said in grown if said[-1] != EOS][:K]
        if not live or hopeless(live[0][0], length, done, search):
            break
    return done


def hopeless(best_live: float, length: int, done: list, search: Search) -> bool:
    if len(done) < search.beams:
        return False
    if search.early_stopping is True:
        return True
    if search.early_stopping == "never" and search.length_penalty > 0:
        length = search.max_len
    return best_live / length**search.length_penalty <= done[-1][0]


def allowed(model, search, prompt, said, banned) -> list[float]:
    """Log-probabilities of the next word under the rules of the search."""
    before = prompt + said
    logp = [float(value) for value in model(before)]
    for word in set(before):
        logp[word] *= search.repetition_penalty
    n = search.no_repeat_ngram
    if n:
        seen = {before[i : i + n] for i in range(len(before) - n + 1)}
        for word in range(len(logp)):
            if (*before[len(before) - n + 1 :], word) in seen:
                logp[word] = -math.inf
    for word in banned:
        logp[word] = -math.inf
    if len(said) < search.min_len:
        logp[EOS] = -math.inf
    return logp
