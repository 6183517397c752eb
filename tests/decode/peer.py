"""Transformers' `generate` (PyTorch) with the toy tables in the place of a model."""

import torch
from generated import captions_of
from toy import APART, next_row
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from jaxcap.decode import Search

JUNK = -1e6  # what may not be has a log-probability of about -1e9 there, by length or not


class Tables(PreTrainedModel, GenerationMixin):
    """A language model whose next-token logits are rows of a table, by image and prefix."""

    config_class = PretrainedConfig

    def __init__(self, table):
        super().__init__(PretrainedConfig())
        self.table = torch.nn.Parameter(torch.tensor(table), requires_grad=False)
        self.post_init()

    def forward(self, input_ids, image, attention_mask=None, return_dict=True):
        row = torch.zeros_like(image)
        for token in input_ids.T:
            row = next_row(row, token)
        return CausalLMOutput(logits=self.table[image, row][:, None])

    def prepare_inputs_for_generation(self, input_ids, image, **kwargs):
        return {"input_ids": input_ids, "image": image}


def config_of(search: Search, roles=APART) -> GenerationConfig:
    """The same settings under their names."""
    pad, bos, eos = roles
    beams = {"early_stopping": search.early_stopping, "length_penalty": search.length_penalty}
    sampling = {name: getattr(search, name) for name in ("temperature", "top_k", "top_p")}
    return GenerationConfig(
        num_beams=search.beams if search.reorders else 1,
        num_return_sequences=search.beams,
        do_sample=search.sample,
        max_new_tokens=search.max_len,
        min_new_tokens=search.min_len or None,
        no_repeat_ngram_size=search.no_repeat_ngram or None,
        repetition_penalty=search.repetition_penalty,
        bad_words_ids=[list(word) for word in search.bad_words] or None,
        suppress_tokens=list(search.suppress or ()) or None,
        forced_bos_token_id=search.forced_bos,
        forced_eos_token_id=search.forced_eos,
        pad_token_id=pad,
        bos_token_id=bos,
        eos_token_id=eos,
        use_cache=False,
        return_dict_in_generate=True,
        output_scores=True,
        output_logits=True,
        **(beams if search.reorders else {}),
        **(sampling if search.sample else {}),
    )


def outputs(table, search: Search, prompts, roles=APART):
    """(images, what `generate` gives for them), by the length of their prompts.

    Images of one length of prompt are a batch of their own, so that none has to be padded.
    """
    model = Tables(table)
    for length in {len(prompt) for prompt in prompts}:
        images = [image for image, prompt in enumerate(prompts) if len(prompt) == length]
        given = torch.tensor([[roles[1], *prompts[image]] for image in images])
        yield (
            images,
            model.generate(
                given,
                attention_mask=torch.ones_like(given),
                image=torch.tensor(images),
                generation_config=config_of(search, roles),
            ),
        )


def generate(table, search: Search, prompts, roles=APART):
    """Each image's captions that may be, [(score, tokens after the prompt)], best first."""
    found = {}
    for images, output in outputs(table, search, prompts, roles):
        start = 1 + len(prompts[images[0]])
        pairs = captions_of(output, start, roles[2], search.length_penalty)
        for i, image in enumerate(images):
            own = pairs[i * search.beams : (i + 1) * search.beams]
            found[image] = [(score, caption) for score, caption in own if score > JUNK]
    return [found[image] for image in range(len(prompts))]


def first_draw(table, search: Search, prompts):
    """The probabilities [images, V] of each image's first token that is sampled."""
    found = {}
    for images, output in outputs(table, search, prompts):
        found.update(zip(images, output.scores[0].softmax(dim=-1).tolist(), strict=True))
    return [found[image] for image in range(len(prompts))]
