"""Published encoders: but for Swin and ResNet each is the ViT here, with settings and names."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jaxcap.interop import today
from jaxcap.interop.family import Config, Family, Settings
from jaxcap.interop.resnet import RESNET
from jaxcap.interop.swin import SWIN
from jaxcap.interop.table import Row, Table

LAYER = r"layer_(\d+)"
SIZES = {
    "width": "hidden_size",
    "depth": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp_width": "intermediate_size",
    "patch": "patch_size",
    "epsilon": "layer_norm_eps",
}
CLASS = {"name": "vit", "tokens": ("class",)}

# ViT, DeiT, BEiT and DINOv2 share the names that they had in the first of them.
EMBEDDINGS = (
    Row("stem/patches", "embeddings.patch_embeddings.projection"),
    Row("class_token", "embeddings.cls_token", rank=3),
    Row("distillation_token", "embeddings.distillation_token", rank=3),
    Row("positions", "embeddings.position_embeddings", rank=3),
    Row("norm_last", "layernorm"),
)
ATTENTION = (
    Row(
        rf"{LAYER}/attention/(query|key|value)",
        r"encoder.layer.\1.attention.attention.\2",
    ),
    Row(rf"{LAYER}/attention/out", r"encoder.layer.\1.attention.output.dense"),
)
BARE = (r"^(vit|deit|beit|dinov2|vision_model)\.", "")  # behind a classifier, or in a pair
HEADS = (r"(classifier|cls_classifier|distillation_classifier|lm_head|decoder)\..*",)


def _grid(config: Config) -> Settings:
    return {"grid": config["image_size"] // config["patch_size"]}


def _image(settings: Settings) -> dict[str, Any]:
    return {"image_size": settings["grid"] * settings["patch"]}


def _pooler(settings: Settings) -> dict[str, tuple[int, ...]]:
    width = settings["width"]
    return {"pooler.dense.weight": (width, width), "pooler.dense.bias": (width,)}


def _norm(name: str) -> Callable[[Settings], dict[str, tuple[int, ...]]]:
    return lambda settings: {f"{name}.{leaf}": (settings["width"],) for leaf in ("weight", "bias")}


def _biased(config: Config) -> Settings:
    return {**_grid(config), "biases": "qkv" if config["qkv_bias"] else ""}


def _bias_too(settings: Settings) -> dict[str, Any]:
    return {**_image(settings), "qkv_bias": settings["biases"] == "qkv"}


VIT = Family(
    model_type="vit",
    fields=SIZES,
    fixed=CLASS,
    read=_biased,
    write=_bias_too,
    idle=_pooler,
    table=Table(
        rows=(
            *EMBEDDINGS,
            *ATTENTION,
            Row(rf"{LAYER}/attention_residual/norm", r"encoder.layer.\1.layernorm_before"),
            Row(rf"{LAYER}/mlp_residual/norm", r"encoder.layer.\1.layernorm_after"),
            Row(rf"{LAYER}/mlp/up", r"encoder.layer.\1.intermediate.dense"),
            Row(rf"{LAYER}/mlp/down", r"encoder.layer.\1.output.dense"),
        ),
        unused=(r"pooler\..*", r"embeddings\.mask_token", *HEADS),
        renames=(BARE, *today.attention("attention"), *today.MLP, (r"^layers\.", "encoder.layer.")),
    ),
)

DEIT = replace(VIT, model_type="deit", fixed={"name": "vit", "tokens": ("class", "distillation")})


def _beit(config: Config) -> Settings:
    places = {
        "absolute": config["use_absolute_position_embeddings"],
        "relative": config["use_relative_position_bias"],
        "shared": config["use_shared_relative_position_bias"],
    }
    return {
        **_grid(config),
        "positions": tuple(name for name, used in places.items() if used),
        "layer_scale": max(config["layer_scale_init_value"], 0.0),
        "norm_last": not config["use_mean_pooling"],
    }


def _as_beit(settings: Settings) -> dict[str, Any]:
    return {
        **_image(settings),
        "use_absolute_position_embeddings": "absolute" in settings["positions"],
        "use_relative_position_bias": "relative" in settings["positions"],
        "use_shared_relative_position_bias": "shared" in settings["positions"],
        "layer_scale_init_value": float(settings["layer_scale"]),
        "use_mean_pooling": not settings["norm_last"],
    }


DISTANCES = "relative_position_bias.relative_position_bias_table"
BEIT = replace(
    VIT,
    model_type="beit",
    fixed={**CLASS, "biases": "qv"},
    read=_beit,
    write=_as_beit,
    idle=lambda settings: {} if settings["norm_last"] else _norm("pooler.layernorm")(settings),
    table=replace(
        VIT.table,
        rows=(
            *VIT.table.rows,
            Row(rf"{LAYER}/attention_residual/gain/scale", r"encoder.layer.\1.lambda_1"),
            Row(rf"{LAYER}/mlp_residual/gain/scale", r"encoder.layer.\1.lambda_2"),
            Row("distances/table", f"encoder.{DISTANCES}"),
            Row(r"distances_(\d+)/table", rf"encoder.layer.\1.attention.attention.{DISTANCES}"),
        ),
        unused=(*VIT.table.unused, r".*relative_position_index"),
        renames=(
            *VIT.table.renames,
            (r"^shared_position_bias\.", "encoder.relative_position_bias."),
            (r"(layer\.\d+\.)(?=relative_position_bias\.)", r"\1attention.attention."),
        ),
    ),
)


def _dino(config: Config) -> Settings:
    return {
        **_biased(config),
        "mlp_width": int(config["hidden_size"] * config["mlp_ratio"]),
        "layer_scale": config["layerscale_value"],
    }


def _as_dino(settings: Settings) -> dict[str, Any]:
    return {
        **_bias_too(settings),
        "mlp_ratio": settings["mlp_width"] // settings["width"],  # there it is a whole number
        "layerscale_value": float(settings["layer_scale"]),
        "use_mask_token": False,
    }


DINOV2 = replace(
    VIT,
    model_type="dinov2",
    fields={name: theirs for name, theirs in SIZES.items() if name != "mlp_width"},
    required={"use_swiglu_ffn": False},
    read=_dino,
    write=_as_dino,
    idle=lambda _: {},
    table=replace(
        VIT.table,
        rows=(
            *EMBEDDINGS,
            *ATTENTION,
            Row(rf"{LAYER}/attention_residual/norm", r"encoder.layer.\1.norm1"),
            Row(rf"{LAYER}/mlp_residual/norm", r"encoder.layer.\1.norm2"),
            Row(
                rf"{LAYER}/attention_residual/gain/scale", r"encoder.layer.\1.layer_scale1.lambda1"
            ),
            Row(rf"{LAYER}/mlp_residual/gain/scale", r"encoder.layer.\1.layer_scale2.lambda1"),
            Row(rf"{LAYER}/mlp/up", r"encoder.layer.\1.mlp.fc1"),
            Row(rf"{LAYER}/mlp/down", r"encoder.layer.\1.mlp.fc2"),
        ),
        renames=(BARE, *today.attention("attention")),
    ),
)

# CLIP, SigLIP, and the encoders of BLIP and GIT share another set of names.
PARTS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
CLIP_ROWS = (
    Row("stem/patches", "embeddings.patch_embedding"),
    Row("class_token", "embeddings.class_embedding", rank=1),
    Row("positions", "embeddings.position_embedding.weight"),
    Row("norm_first", "pre_layrnorm"),
    Row("norm_last", "post_layernorm"),
    *(
        Row(rf"{LAYER}/attention/{ours}", rf"encoder.layers.\1.self_attn.{theirs}")
        for ours, theirs in PARTS.items()
    ),
    Row(rf"{LAYER}/attention_residual/norm", r"encoder.layers.\1.layer_norm1"),
    Row(rf"{LAYER}/mlp_residual/norm", r"encoder.layers.\1.layer_norm2"),
    Row(rf"{LAYER}/mlp/up", r"encoder.layers.\1.mlp.fc1"),
    Row(rf"{LAYER}/mlp/down", r"encoder.layers.\1.mlp.fc2"),
)
PAIR = (  # of the other half of an image-text pair
    r"text_model\..*",
    r"(visual|text)_projection\.weight",
    r"logit_(scale|bias)",
    r"embeddings\.position_ids",
)

# What the encoder hands on is the last layer's output; only its pooled token is normed.
CLIP = Family(
    model_type="clip_vision_model",
    fields=SIZES,
    fixed={**CLASS, "stem_bias": False, "norm_first": True, "norm_last": False},
    read=_grid,
    write=_image,
    idle=_norm("post_layernorm"),
    table=Table(CLIP_ROWS, unused=(r"post_layernorm\..*", *PAIR), renames=(BARE,)),
)
SIGLIP = Family(
    model_type="siglip_vision_model",
    fields=SIZES,
    fixed={"name": "vit", "tokens": ()},
    read=_grid,
    write=lambda settings: {**_image(settings), "vision_use_head": False},
    table=Table(CLIP_ROWS, unused=(r"head\..*", *PAIR), renames=(BARE,)),
)
GIT_VISION = replace(
    CLIP,
    model_type="git_vision_model",
    fixed={**CLASS, "stem_bias": False, "norm_first": True},
    table=Table(CLIP_ROWS, unused=PAIR),
)
BLIP_VISION = replace(
    CLIP,
    model_type="blip_vision_model",
    fixed=CLASS,
    table=Table(
        (
            Row("class_token", "embeddings.class_embedding", rank=3),
            Row("positions", "embeddings.position_embedding", rank=3),
            Row(
                rf"{LAYER}/attention/(query|key|value)",
                r"encoder.layers.\1.self_attn.qkv",
                ("query", "key", "value"),
            ),
            Row(rf"{LAYER}/attention/out", r"encoder.layers.\1.self_attn.projection"),
            *CLIP_ROWS,
        )
    ),
)

VISION = {
    family.model_type: family for family in (VIT, DEIT, BEIT, DINOV2, CLIP, SIGLIP, SWIN, RESNET)
}
