"""The loop finds what exhaustive search and a written-out beam search find."""

import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import allowed, beam_search
from toy import (
    BOS,
    EOS,
    PAD,
    Prefixes,
    endings,
    every_caption,
    on_host,
    run,
    search_tables,
    tables,
)

from jaxcap.decode import Search, decode
from jaxcap.errors import UserError
from jaxcap.partition import make_mesh, over_batch

COLLECTIVES = r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"


def check(found, image, table, search, expected, prompt=()):
    """The captions of one image are the expected (score, tokens), and nothing else is there."""
    model, place = Prefixes(table), len(prompt)
    tokens, logps, scores = found.tokens[image], found.logps[image], found.scores[image]
    length = tokens.shape[1]
    for k, (score, said) in enumerate(expected):
        end = place + len(said)
        assert tokens[k].tolist() == [*prompt, *said] + [PAD] * (length - end)
        np.testing.assert_allclose(scores[k], score, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(logps[k, place:end], model.each(prompt, said), atol=1e-5)
        assert not logps[k, :place].any()
        assert not logps[k, end:].any()
    assert (scores[len(expected) :] == -np.inf).all()
    assert (tokens[len(expected) :] == PAD).all()


@pytest.mark.parametrize("length_penalty", [2.0, 1.0, 0.0, -1.0])
def test_as_many_beams_as_captions_find_every_caption_in_order(length_penalty):
    search = Search(beams=4**4, max_len=4, length_penalty=length_penalty, early_stopping="never")
    table = tables(2, vocab=4)
    found = run(table, search)
    for image in range(2):
        everything = every_caption(Prefixes(table[image]), search)
        assert len(everything) == 121
        check(found, image, table[image], search, everything)


WORDS = 12
NEVER = (PAD, BOS)
SEARCHES = [
    Search(beams=2, max_len=6),
    Search(beams=3, max_len=6, early_stopping=True),
    Search(beams=3, max_len=6, early_stopping="never"),
    Search(beams=3, max_len=6, early_stopping="never", length_penalty=0.0),
    Search(beams=3, max_len=6, early_stopping="never", length_penalty=-1.0),
    Search(beams=3, max_len=6, length_penalty=2.0),
    Search(beams=8, max_len=5, length_penalty=0.6),
    Search(beams=2, max_len=1),
    Search(beams=3, max_len=6, min_len=4),
    Search(beams=3, max_len=6, repetition_penalty=1.5),
    Search(beams=4, max_len=7, no_repeat_ngram=1, early_stopping=True),
    Search(beams=4, max_len=7, no_repeat_ngram=2, min_len=4, early_stopping="never"),
    Search(
        beams=3,
        max_len=7,
        no_repeat_ngram=3,
        min_len=2,
        repetition_penalty=0.5,
        length_penalty=0.7,
    ),
    Search(beams=3, max_len=5, bad_words=((4,), (EOS,), (5, 6), (BOS, 7), (3, 3, 3, 3, 3))),
    Search(beams=3, max_len=5, forced_bos=9, forced_eos=EOS, early_stopping=True),
    Search(beams=4, max_len=6, groups=2, diversity=0.7),
    Search(beams=4, max_len=6, groups=4, diversity=1.5, early_stopping=True),
    Search(
        beams=6,
        max_len=6,
        groups=3,
        diversity=0.5,
        early_stopping="never",
        length_penalty=0.5,
        repetition_penalty=1.3,
        no_repeat_ngram=2,
        forced_eos=EOS,
    ),
]
SEARCHES = [replace(search, suppress=NEVER) for search in SEARCHES]
PROMPTS = [(), (5,), (5, 6), (5, 5, 5)] * 5


@pytest.mark.parametrize("search", SEARCHES)
def test_beams_equal_the_written_out_search(search):
    table = endings(20, vocab=WORDS)
    found = run(table, search, PROMPTS)
    ends = set()
    for image, prompt in enumerate(PROMPTS):
        expected = beam_search(Prefixes(table[image]), search, prompt)
        check(found, image, table[image], search, expected, prompt)
        ends.add(len(expected[0][1]))
    assert search.max_len == 1 or len(ends) > 1


def test_groups_that_do_not_mind_one_another_find_the_same():
    table, three = endings(20, vocab=WORDS), Search(beams=3, max_len=6)
    alone = run(table, three, PROMPTS)
    groups = run(table, replace(three, beams=6, groups=2), PROMPTS)
    same(alone, SimpleNamespace(**{name: leaf[:, ::2] for name, leaf in vars(groups).items()}))
    same(alone, SimpleNamespace(**{name: leaf[:, 1::2] for name, leaf in vars(groups).items()}))
    assert len(set((alone.tokens != PAD).sum(-1).flatten().tolist())) > 2


def test_fewer_words_than_candidates():
    search = Search(beams=6, max_len=4, min_len=1, suppress=NEVER)
    table = tables(4, vocab=4)
    found = run(table, search)
    for image in range(4):
        expected = beam_search(Prefixes(table[image]), search)
        assert len(expected) < 6  # "x", "x x", "x x x", "x x x x": no more can be said
        check(found, image, table[image], search, expected)


def test_a_prompt_may_hold_what_a_caption_may_not_and_does_not_end_it():
    rules = {"no_repeat_ngram": 2, "min_len": 1, "suppress": NEVER}
    search = Search(beams=3, max_len=5, length_penalty=0.5, **rules)
    table = tables(4, vocab=WORDS)
    prompts = [(EOS, 5), (5, EOS, EOS), (BOS, PAD, EOS), ()]
    found = run(table, search, prompts)
    for image, prompt in enumerate(prompts):
        expected = beam_search(Prefixes(table[image]), search, prompt)
        check(found, image, table[image], search, expected, prompt)


@pytest.mark.parametrize("beams", [1, 2])
def test_the_loop_ends_when_nothing_more_can_be_said(beams):
    steps = []

    def step(state, token, t):  # "3 eos" is all there is
        jax.debug.callback(lambda at: steps.append(int(at)), t)
        logits = jnp.where(jnp.arange(4) == jnp.where(t == 0, 3, EOS), 0.0, -jnp.inf)
        return jnp.broadcast_to(logits[None, None], (1, beams, 4)), state

    search, ids = Search(beams=beams, max_len=50), {"bos": BOS, "eos": EOS, "pad": PAD}
    found = jax.jit(partial(decode, step, (), search, **ids))(
        prompt=jnp.zeros((1, 0), jnp.int32),
        prompt_len=jnp.zeros(1, jnp.int32),
        keys=jax.random.split(jax.random.key(0), 1),
    )
    assert found.tokens[0, 0, :3].tolist() == [3, EOS, PAD]
    assert found.scores[0].tolist() == [0.0, -np.inf][:beams]
    jax.effects_barrier()
    assert sorted(steps) == [0, 1]


def greedy_by_hand(model, search, prompt):
    said = ()
    while len(said) < search.max_len and (not said or said[-1] != EOS):
        said = (*said, int(np.argmax(allowed(model.scores, search, prompt, said))))
    return said


GREEDY = Search(max_len=6, early_stopping=True)


@pytest.mark.parametrize(
    "search",
    [GREEDY, replace(GREEDY, repetition_penalty=3.0), replace(GREEDY, repetition_penalty=0.2)],
)
def test_one_beam_takes_the_best_logit_each_time_and_its_score_is_the_models(search):
    table = tables(20, vocab=WORDS)
    found, changed = run(table, search, PROMPTS), 0
    for image, prompt in enumerate(PROMPTS):
        model = Prefixes(table[image])
        said = greedy_by_hand(model, search, prompt)
        score = sum(model.each(prompt, said)) / len(said)
        check(found, image, table[image], search, [(score, said)], prompt)
        changed += said != greedy_by_hand(model, GREEDY, prompt)
    assert changed or search == GREEDY


def test_a_beam_search_of_one_beam_is_greedy_search():
    class OneBeam(Search):
        reorders = True

    table = tables(20, vocab=WORDS)
    greedy = run(table, GREEDY, PROMPTS)
    one_beam = run(table, OneBeam(max_len=6, early_stopping=True), PROMPTS)
    np.testing.assert_array_equal(one_beam.tokens, greedy.tokens)
    np.testing.assert_allclose(one_beam.scores, greedy.scores, rtol=1e-6)


def same(one, other, rtol=0.0):
    for name, leaf in vars(one).items():
        np.testing.assert_allclose(leaf, vars(other)[name], rtol=rtol, err_msg=name)


@pytest.mark.parametrize("sample", [False, True], ids=["beams", "samples"])
def test_an_image_is_captioned_alike_alone_and_in_a_batch(sample):
    search = Search(beams=3, max_len=6, sample=sample)
    table = tables(6, vocab=WORDS, seed=1)
    table[..., EOS] += np.array([-9, -1, 0, 1, 2, 9])[:, None]
    many = run(table, search, [(3,)] * 6)
    lengths = (many.tokens != PAD).sum(-1)[:, 0]
    assert len(set(lengths.tolist())) > 2
    for image in range(6):
        alone = run(table[image][None], search, [(3,)], first=image)
        same(alone, SimpleNamespace(**{k: v[image][None] for k, v in vars(many).items()}))


def test_sampled_logps_are_the_models_own_and_the_score_their_sum():
    search = Search(beams=5, sample=True, max_len=6, temperature=0.7, top_p=0.9, length_penalty=0.0)
    table = tables(4, vocab=WORDS)
    prompts = [(), (5,), (5, 6), ()]
    found = run(table, search, prompts)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    for image, prompt in enumerate(prompts):
        expected = []
        for k in range(5):
            said = found.tokens[image, k][len(prompt) :][: search.max_len].tolist()
            said = tuple(said[: said.index(EOS) + 1] if EOS in said else said)
            each = Prefixes(table[image]).each(prompt, said)
            expected.append((sum(each), said))
        check(found, image, table[image], search, expected, prompt)


def test_samples_keep_the_rules_of_the_search():
    rules = {"min_len": 2, "no_repeat_ngram": 2, "bad_words": ((6, 5),), "suppress": NEVER}
    search = Search(beams=20, sample=True, max_len=6, temperature=3.0, **rules)
    table = tables(3, vocab=7)
    table[..., PAD] += 3
    table[..., EOS] += 2
    prompts = [(), (4, 5, 4), (6, 6)]
    found = run(table, search, prompts)
    for image, prompt in enumerate(prompts):
        model, place = Prefixes(table[image]), len(prompt)
        assert (found.tokens[image, :, :place] == prompt).all()
        for caption in found.tokens[image, :, place : place + search.max_len].tolist():
            end = caption.index(EOS) + 1 if EOS in caption else len(caption)
            for t, word in enumerate(caption[:end]):
                possible = allowed(model, search, prompt, tuple(caption[:t]))
                assert possible[word] > -np.inf


def test_each_step_draws_anew():
    # All words alike at each step: with one key for all steps, each caption would repeat a word.
    table = np.zeros((1, 499, WORDS), np.float32)
    search = Search(beams=600, sample=True, max_len=3, min_len=2)
    tokens = run(table, search).tokens[0]
    pairs, _, _ = np.histogram2d(tokens[:, 0], tokens[:, 1], bins=np.arange(WORDS + 1) - 0.5)
    used = np.array([word for word in range(WORDS) if word != EOS])
    expected = 600 / len(used) ** 2
    chi_square = ((pairs[np.ix_(used, used)] - expected) ** 2 / expected).sum()
    degrees = len(used) ** 2 - 1
    assert abs(chi_square - degrees) < 5 * np.sqrt(2 * degrees)


@pytest.mark.parametrize("settings", [{}, {"groups": 3, "diversity": 1.0}, {"sample": True}])
def test_sharded_over_devices_it_is_the_same_and_without_collectives(settings):
    search = Search(beams=3, max_len=6, suppress=(PAD,), **settings)
    table = tables(16, vocab=WORDS, seed=2)
    batch = {
        "table": jnp.asarray(table),
        "prompt": jnp.full((16, 1), 3, jnp.int32),
        "prompt_len": jnp.asarray(np.arange(16) % 2, jnp.int32),
        "index": jnp.arange(16, dtype=jnp.int32),
    }

    def caption(params, batch):
        return search_tables(**batch, search=search)

    program = over_batch(caption, make_mesh({"data": -1})).lower((), batch).compile()
    assert not re.search(COLLECTIVES, program.as_text())
    sharded, whole = program((), batch), jax.jit(caption)((), batch)
    assert len(sharded.tokens.sharding.device_set) == 8
    same(on_host(sharded), on_host(whole), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"beam": 3}, "'beam'.*Did you mean 'beams'"),
        ({"beams": 0}, r"search\.beams is 0; expected at least 1"),
        ({"beams": "4"}, r"search\.beams is '4'; expected a whole number"),
        ({"max_len": 20.0}, r"search\.max_len is 20\.0; expected a whole number"),
        ({"min_len": True}, r"search\.min_len is True; expected a whole number"),
        ({"length_penalty": None}, r"search\.length_penalty is None; expected a number"),
        ({"sample": 1}, r"search\.sample is 1; expected True or False"),
        ({"min_len": 9, "max_len": 8}, r"min_len is 9; expected from 0 to max_len \(8\)"),
        ({"beams": 4, "groups": 3}, r"groups is 3; .* a divisor of beams \(4\)"),
        ({"beams": 4, "groups": 2, "sample": True}, "without sampling"),
        ({"beams": 4, "diversity": 0.5}, "with groups above 1"),
        ({"bad_words": [[]]}, "one or more ids"),
        ({"bad_words": [[5, -1]]}, "a tuple of tuples"),
        ({"suppress": [-1]}, "a tuple of ids"),
        ({"forced_bos": 3, "suppress": [3]}, r"forced_bos is 3; .* may be chosen"),
        ({"forced_eos": -1}, "forced_eos"),
        ({"early_stopping": "always"}, "True, False or 'never'"),
        ({"temperature": 0.0}, "beams=1"),
        ({"top_p": 0.0}, "top_p"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(UserError, match=words):
        Search.of(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"bad_words": [[3, 12]]}, {"suppress": [12]}, {"forced_bos": 12}, {"forced_eos": 12}],
)
def test_ids_that_the_model_does_not_have_are_refused(settings):
    (name,) = settings
    with pytest.raises(UserError, match=rf"search\.{name} is .*12.* vocabulary has, 0 to 11"):
        run(tables(1, vocab=WORDS), Search.of(**settings))


def test_lists_of_ids_may_be_given_and_the_signature_stays_short():
    search = Search.of(beams=2, bad_words=[[5, 6], [7]], suppress=[])
    assert search == Search(beams=2, bad_words=((5, 6), (7,)), suppress=())
    assert hash(search) == hash(Search(beams=2, bad_words=((5, 6), (7,)), suppress=()))
    assert re.fullmatch(
        "beams=2,max_len=32,bad_words=2@[0-9a-f]{8},suppress=0@[0-9a-f]{8}", search.signature()
    )
    other = replace(search, bad_words=((5, 7), (7,)))
    assert other.signature() != search.signature()
    many = replace(search, bad_words=tuple((id,) for id in range(5000)))
    assert len(many.signature()) < 80
