"""Swin Transformers as Transformers publishes them."""

from typing import Any

from jaxcap.interop import today
from jaxcap.interop.family import Config, Family, Settings
from jaxcap.interop.table import Row, Table

LAYER, THERE = r"layer_(\d+)_(\d+)", r"encoder.layers.\1.blocks.\2"


def _biased(config: Config) -> Settings:
    return {"biases": "qkv" if config["qkv_bias"] else ""}


def _bias_too(settings: Settings) -> dict[str, Any]:
    return {"qkv_bias": settings["biases"] == "qkv"}


SWIN = Family(
    model_type="swin",
    fields={
        "width": "embed_dim",
        "depths": "depths",
        "heads": "num_heads",
        "window": "window_size",
        "patch": "patch_size",
        "mlp_ratio": "mlp_ratio",
        "epsilon": "layer_norm_eps",
    },
    fixed={"name": "swin"},
    required={"use_absolute_embeddings": False, "num_channels": 3},
    read=_biased,
    write=_bias_too,
    table=Table(
        rows=(
            Row("stem/patches", "embeddings.patch_embeddings.projection"),
            Row("norm_first", "embeddings.norm"),
            Row("norm_last", "layernorm"),
            Row(rf"{LAYER}/attention/(query|key|value)", rf"{THERE}.attention.self.\3"),
            Row(rf"{LAYER}/attention/out", rf"{THERE}.attention.output.dense"),
            Row(rf"{LAYER}/distances", rf"{THERE}.attention.self.relative_position_bias_table"),
            Row(rf"{LAYER}/attention_residual/norm", rf"{THERE}.layernorm_before"),
            Row(rf"{LAYER}/mlp_residual/norm", rf"{THERE}.layernorm_after"),
            Row(rf"{LAYER}/mlp/up", rf"{THERE}.intermediate.dense"),
            Row(rf"{LAYER}/mlp/down", rf"{THERE}.output.dense"),
            Row(r"merge_(\d+)/norm", r"encoder.layers.\1.downsample.norm"),
            Row(r"merge_(\d+)/project", r"encoder.layers.\1.downsample.reduction"),
        ),
        unused=(
            r".*relative_position_index",
            r"embeddings\.mask_token",
            r"(classifier|decoder)\..*",
        ),
        renames=(
            (r"^swin\.", ""),  # behind a classifier
            (r"attention\.relative_position_bias\.", "attention.self."),
            *today.attention("self"),
            *today.MLP,
        ),
    ),
)
