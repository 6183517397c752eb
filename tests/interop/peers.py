"""Tiny captioners of Transformers (PyTorch): made, published, and asked.

No weight of theirs is what it starts from by default, and a few steps of training make them say
of each photograph one of several things: captions of random words, of one to eight tokens.
"""

import re
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from generated import captions_of
from sources import config_of, photographs, processor_of, roles_of, save_tokenizer

torch.set_num_threads(1)  # the tests share the machine

CLASSES = {"blip": hf.BlipForConditionalGeneration, "git": hf.GitForCausalLM}
LONGEST = 9  # tokens of a caption, with that of the start
LAYER = r".*(layers?|h|blocks)\.\d+"  # the name of a layer
EACH, SAID, STEPS = 3, range(4, 20), 30  # captions of a photograph, their words; of the training


class Peer:
    """A captioner of Transformers, by one of `sources.NAMES` or another pair."""

    def __init__(self, name: str, config: hf.PreTrainedConfig | None = None):
        self.name, self.roles, self.processor = name, roles_of(name), processor_of(name)
        network = CLASSES.get(name, hf.VisionEncoderDecoderModel)
        self.model = network(config or config_of(name))
        self.model.eval()
        self._randomize()
        self._train()
        ids = {f"{role}_token_id": id for role, id in self.roles.items()}
        ids["decoder_start_token_id"] = self.roles["bos"]
        self.model.generation_config = hf.GenerationConfig(num_beams=3, max_length=LONGEST, **ids)
        if name == "blip":  # its `generate` is that of a part, which reads no file
            self.model.text_decoder.generation_config = self.model.generation_config

    def publish(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)
        save_tokenizer(self.name, folder)

    def pixels(self, photos):
        """[B, 3, h, w]."""
        return self.processor(photos, return_tensors="pt").pixel_values

    def features(self, pixels, **how):
        """What the encoder gives, [B, S, E]."""
        if self.name == "git":
            return self.model.git.image_encoder(pixels, **how)[0]
        seer = self.model.vision_model if self.name == "blip" else self.model.encoder
        return seer(pixels, **how)[0]

    def memory(self, features):
        """What the decoder is given of them, [B, S, D]."""
        if self.name == "git":
            return self.model.git.visual_projection(features)
        project = getattr(self.model, "enc_to_dec_proj", None)
        return project(features) if project else features

    def logits(self, pixels, tokens, mask=None, **how):
        """Of each next token, [B, T, V]."""
        said = {f"{self._of}input_ids": tokens, f"{self._of}attention_mask": mask}
        logits = self.model(pixel_values=pixels, **said, **how).logits
        return logits[:, -tokens.shape[1] :]

    def hidden(self, pixels, tokens):
        """What each layer gives, of the encoder and then of the decoder, [B, S, width]."""
        layers = {n: x for n, x in self.model.named_modules() if re.fullmatch(LAYER, n)}
        found = []
        hooks = [
            layer.register_forward_hook(lambda _, __, x: found.append(x))
            for name, layer in layers.items()
            if not any(other.startswith(f"{name}.") for other in layers)  # no stage of layers
        ]
        self.logits(pixels, tokens)
        for hook in hooks:
            hook.remove()
        return [x[0] if isinstance(x, tuple) else x for x in found]

    def generate(self, pixels, prompt=(), **settings):
        """Each image's captions, [(score, tokens after the prompt)], best first."""
        rows = torch.tensor([[self.roles["bos"], *prompt]]).expand(len(pixels), -1)
        if self.name == "blip":
            rows = torch.nn.functional.pad(rows, (0, 1))  # its `generate` drops the last
        output = self.model.generate(
            pixel_values=pixels,
            **{f"{self._of}input_ids": rows},
            **settings,
            return_dict_in_generate=True,
            output_scores=True,
            output_logits=True,
        )
        found = captions_of(output, 1 + len(prompt), self.roles["eos"])
        each = len(found) // len(pixels)
        return [found[i : i + each] for i in range(0, len(found), each)]

    @cached_property
    def _of(self) -> str:
        return "decoder_" if "+" in self.name else ""

    @torch.no_grad()
    def _randomize(self) -> None:
        rng = np.random.default_rng(0)
        for module in self.model.modules():
            for name, weight in module.named_parameters(recurse=False):
                centre = float(isinstance(module, torch.nn.LayerNorm) and name == "weight")
                weight.copy_(torch.from_numpy(rng.normal(centre, 0.15, weight.shape)))
        self.model.tie_weights()

    def _train(self) -> None:
        rng = np.random.default_rng(0)
        pixels = self.pixels(photographs(20)).repeat_interleave(EACH, dim=0)
        tokens = torch.full((len(pixels), LONGEST), self.roles["pad"])
        targets = torch.full((len(pixels), LONGEST), -100)
        for row, target in zip(tokens, targets, strict=True):
            caption = torch.from_numpy(rng.choice(SAID, rng.integers(LONGEST - 1)))
            row[0], row[1 : 1 + len(caption)] = self.roles["bos"], caption
            target[: len(caption)], target[len(caption)] = caption, self.roles["eos"]
        optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        for _ in range(STEPS):
            logits = self.logits(pixels, tokens)
            loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.model.requires_grad_(False)
