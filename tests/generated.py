"""Captions that Transformers' `generate` finds, [(score, tokens after the prompt)], and ours."""

import numpy as np


def captions_of(output, start, eos, length_penalty=1.0):
    """Of each row of what `generate` gives; captions begin at `start`.

    Where it gives no score, it is the sum of the model's own log-probabilities, by length.
    """
    rows = output.sequences[:, start:].tolist()
    captions = [tuple(row[: [*row, eos].index(eos) + 1]) for row in rows]
    if "sequences_scores" in output:
        scores = output.sequences_scores.tolist()
    else:
        steps = [logits.log_softmax(dim=-1) for logits in output.logits]
        scores = [
            sum(float(steps[t][row, word]) for t, word in enumerate(caption))
            / len(caption) ** length_penalty
            for row, caption in enumerate(captions)
        ]
    return list(zip(scores, captions, strict=True))


def expect(found, prompts, expected, pad):
    """The captions of each image are the expected, padded to the end, and no others are there."""
    tokens, scores = np.asarray(found.tokens), np.asarray(found.scores)
    for image, (prompt, captions) in enumerate(zip(prompts, expected, strict=True)):
        assert (scores[image] > -np.inf).sum() == len(captions) > 0
        for k, (score, caption) in enumerate(captions):
            row, whole = tokens[image, k].tolist(), [*prompt, *caption]
            assert row == whole + [pad] * (len(row) - len(whole))
            np.testing.assert_allclose(scores[image, k], score, rtol=1e-5, atol=1e-5)
