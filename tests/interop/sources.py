"""What somebody publishes beside weights: configs (of tiny networks), tokenizers; photographs."""

from pathlib import Path

import numpy as np
import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

hf.logging.set_verbosity_error()
hf.logging.disable_progress_bar()

WORDS, SIDE = 40, 32  # of the vocabulary; pixels a side
ROLES = {  # what begins, ends and fills a row, by the decoder; as in the models of these names
    "gpt2": {"bos": WORDS - 1, "eos": WORDS - 1, "pad": WORDS - 1},
    "bert": {"bos": 2, "eos": 3, "pad": 0},
    "roberta": {"bos": 0, "eos": 2, "pad": 1},
    "blip": {"bos": WORDS - 1, "eos": 3, "pad": 0},
    "git": {"bos": 2, "eos": 3, "pad": 0},
}
SEES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": SIDE,
    "patch_size": 8,
    "layer_norm_eps": 1e-2,  # so great that another one would be seen
}
WIDER = {**SEES, "hidden_size": 40}
ENCODERS = {
    "vit": hf.ViTConfig(**SEES),
    "vit-wide": hf.ViTConfig(**WIDER, qkv_bias=False, hidden_act="gelu_new"),
    "deit": hf.DeiTConfig(**SEES),
    "beit": hf.BeitConfig(**SEES, use_relative_position_bias=True, layer_scale_init_value=0.5),
    "beit-shared": hf.BeitConfig(
        **SEES,
        use_shared_relative_position_bias=True,
        use_absolute_position_embeddings=True,
        layer_scale_init_value=0.0,
        use_mean_pooling=False,
    ),
    "beit-both": hf.BeitConfig(
        **SEES,
        use_relative_position_bias=True,
        use_shared_relative_position_bias=True,
        layer_scale_init_value=0.5,
    ),
    "clip": hf.CLIPVisionConfig(**SEES),
    "siglip": hf.SiglipVisionConfig(**SEES),
    "dinov2": hf.Dinov2Config(**SEES, layerscale_value=0.7, mlp_ratio=2),
    "swin": hf.SwinConfig(
        image_size=SIDE, patch_size=4, embed_dim=16, depths=[2, 1], num_heads=[2, 4], window_size=3
    ),
}
SPEAKS = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 24,
    "layer_norm_eps": 3e-2,
}
GPT2 = {
    "vocab_size": WORDS,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 24,
    "layer_norm_epsilon": 3e-2,
}
OTHER = {"n_inner": 40, "activation_function": "relu", "tie_word_embeddings": False}
DECODERS = {
    "gpt2": hf.GPT2Config(**GPT2),
    "gpt2-untied": hf.GPT2Config(**GPT2, **OTHER),
    "bert": hf.BertConfig(**SPEAKS, hidden_act="gelu_new"),
    "roberta": hf.RobertaConfig(**SPEAKS, hidden_act="silu", pad_token_id=1),
}
NAMES = [
    *(f"{encoder}+gpt2" for encoder in ENCODERS),
    *(f"vit+{decoder}" for decoder in DECODERS if decoder != "gpt2"),
    "blip",
    "git",
]
PROCESSORS = {
    "vit": hf.ViTImageProcessorPil,
    "deit": hf.DeiTImageProcessorPil,
    "beit": hf.BeitImageProcessorPil,
    "clip": hf.CLIPImageProcessorPil,
    "siglip": hf.SiglipImageProcessorPil,
    "dinov2": hf.BitImageProcessorPil,
    "swin": hf.ViTImageProcessorPil,
    "blip": hf.BlipImageProcessorPil,
    "git": hf.CLIPImageProcessorPil,
}


def roles_of(name: str) -> dict[str, int]:
    """The special ids of a captioner: one of NAMES, or another pair "encoder+decoder"."""
    return ROLES[name.partition("+")[2].partition("-")[0] or name]


def config_of(name: str) -> hf.PreTrainedConfig:
    """Its config.json."""
    roles = {f"{role}_token_id": id for role, id in roles_of(name).items()}
    if name == "blip":
        ends = {"sep_token_id": roles["eos_token_id"]}
        text = {**SPEAKS, **roles, **ends, "encoder_hidden_size": WIDER["hidden_size"]}
        return hf.BlipConfig(text_config=text, vision_config=WIDER, projection_dim=16)
    if name == "git":
        return hf.GitConfig(vision_config=WIDER, **SPEAKS, **roles)
    seen, said = name.split("+")
    return hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ENCODERS[seen], DECODERS[said]
    )


def processor_of(name: str) -> hf.BaseImageProcessor:
    """Its image processor; some cut the middle out of a larger square."""
    kind = PROCESSORS[name.partition("+")[0].partition("-")[0]]
    return kind(size={"height": SIDE, "width": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def save_tokenizer(name: str, folder: Path, words: int = WORDS) -> None:
    """Its tokenizer: the words are w0, w1, ..., except for the special ones."""
    special = {id: f"<{role}>" for role, id in roles_of(name).items()}
    vocab = {special.get(id, f"w{id}"): id for id in range(words)}
    backend = Tokenizer(models.WordLevel(vocab))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named = {f"{role}_token": special[id] for role, id in roles_of(name).items()}
    hf.PreTrainedTokenizerFast(tokenizer_object=backend, **named).save_pretrained(folder)


def photographs(count: int) -> list[Image.Image]:
    """Blots of colour, since to a network one noise looks like another."""
    rng = np.random.default_rng(0)
    blots = [Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8)) for _ in range(count)]
    return [b.resize((40 + 3 * i, 60 - i), Image.Resampling.BICUBIC) for i, b in enumerate(blots)]
