"""The Transformers that speak: every one of them is the decoder here, with settings and names."""

from dataclasses import replace
from typing import Any

from jaxcap.errors import UserError
from jaxcap.interop.family import ACTIVATIONS, Config, Family, Settings
from jaxcap.interop.table import Row, Table

LAYER = r"layers_(\d+)"
NAMED = {"name": "transformer", "canon": 0, "scaled_words": False}
CROSS = r"layers_\d+/cross_.*"  # a language model alone looks at no image


def _gpt2(config: Config) -> Settings:
    return {"mlp_width": config["n_inner"] or 4 * config["n_embd"]}


def _as_gpt2(settings: Settings) -> dict[str, Any]:
    return {
        "n_inner": settings["mlp_width"],
        "is_decoder": True,
        "add_cross_attention": True,
    }


GPT2 = Family(
    model_type="gpt2",
    fields={
        "width": "n_embd",
        "depth": "n_layer",
        "heads": "n_head",
        "positions": "n_positions",
        "epsilon": "layer_norm_epsilon",
        "tied": "tie_word_embeddings",
    },
    fixed={**NAMED, "vocab_bias": False},
    required={"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False},
    activation="activation_function",
    read=_gpt2,
    write=_as_gpt2,
    table=Table(
        rows=(
            Row("words/embedding", "transformer.wte.weight"),
            Row("words/positions", "transformer.wpe.weight"),
            Row("words/unembedding", "lm_head.weight"),
            Row("last_norm", "transformer.ln_f"),
            Row(
                rf"{LAYER}/self_attention/(query|key|value)",
                r"transformer.h.\1.attn.c_attn",
                ("query", "key", "value"),
            ),
            Row(rf"{LAYER}/self_attention/out", r"transformer.h.\1.attn.c_proj"),
            Row(rf"{LAYER}/cross_attention/query", r"transformer.h.\1.crossattention.q_attn"),
            Row(
                rf"{LAYER}/cross_attention/(key|value)",
                r"transformer.h.\1.crossattention.c_attn",
                ("key", "value"),
            ),
            Row(rf"{LAYER}/cross_attention/out", r"transformer.h.\1.crossattention.c_proj"),
            Row(rf"{LAYER}/self_residual/norm", r"transformer.h.\1.ln_1"),
            Row(rf"{LAYER}/cross_residual/norm", r"transformer.h.\1.ln_cross_attn"),
            Row(rf"{LAYER}/mlp_residual/norm", r"transformer.h.\1.ln_2"),
            Row(rf"{LAYER}/mlp/up", r"transformer.h.\1.mlp.c_fc"),
            Row(rf"{LAYER}/mlp/down", r"transformer.h.\1.mlp.c_proj"),
        ),
        fresh=(CROSS,),
        unused=(r"transformer\.h\.\d+\.(attn|crossattention)\.(bias|masked_bias)",),
        copies=(("lm_head.weight", "transformer.wte.weight"),),
        renames=((r"^(?=wte\.|wpe\.|h\.|ln_f\.)", "transformer."),),
        input_first=True,
    ),
)

BERT_FIELDS = {
    "width": "hidden_size",
    "depth": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp_width": "intermediate_size",
    "positions": "max_position_embeddings",
    "epsilon": "layer_norm_eps",
    "tied": "tie_word_embeddings",
}
POST = {**NAMED, "norm": "post", "normed_words": True}


def _body(net: str) -> tuple[Row, ...]:
    """The layers and the input words of BERT's kin, under the name of the net."""
    layer = rf"{net}.encoder.layer.\1"
    return (
        Row("words/embedding", f"{net}.embeddings.word_embeddings.weight"),
        Row("words/positions", f"{net}.embeddings.position_embeddings.weight"),
        Row("words/segment", f"{net}.embeddings.token_type_embeddings.weight"),
        Row("words/norm", f"{net}.embeddings.LayerNorm"),
        Row(rf"{LAYER}/self_attention/(query|key|value)", rf"{layer}.attention.self.\2"),
        Row(rf"{LAYER}/self_attention/out", rf"{layer}.attention.output.dense"),
        Row(rf"{LAYER}/self_residual/norm", rf"{layer}.attention.output.LayerNorm"),
        Row(rf"{LAYER}/cross_attention/(query|key|value)", rf"{layer}.crossattention.self.\2"),
        Row(rf"{LAYER}/cross_attention/out", rf"{layer}.crossattention.output.dense"),
        Row(rf"{LAYER}/cross_residual/norm", rf"{layer}.crossattention.output.LayerNorm"),
        Row(rf"{LAYER}/mlp/up", rf"{layer}.intermediate.dense"),
        Row(rf"{LAYER}/mlp/down", rf"{layer}.output.dense"),
        Row(rf"{LAYER}/mlp_residual/norm", rf"{layer}.output.LayerNorm"),
    )


HEAD = (
    Row("words/bias", "cls.predictions.bias"),
    Row("words/dense", "cls.predictions.transform.dense"),
    Row("words/dense_norm", "cls.predictions.transform.LayerNorm"),
    Row("words/unembedding", "cls.predictions.decoder.weight"),
)
UNUSED = (r".*\.pooler\..*", r".*position_ids", r"cls\.seq_relationship\..*")
COPIES = (
    ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
)
OLD = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))


def _bert(config: Config) -> Settings:
    return {
        "segments": config["type_vocab_size"],
        "head_activation": ACTIVATIONS[config["hidden_act"]],
    }


def _as_bert(settings: Settings) -> dict[str, Any]:
    return {
        "type_vocab_size": settings["segments"] or 1,  # it has none without
        "is_decoder": True,
        "add_cross_attention": True,
    }


BERT = Family(
    model_type="bert",
    fields=BERT_FIELDS,
    fixed=POST,
    read=_bert,
    write=_as_bert,
    table=Table(
        rows=(*_body("bert"), *HEAD),
        fresh=(CROSS, r"words/(bias|dense|dense_norm)(/.*)?"),
        unused=UNUSED,
        copies=COPIES,
        renames=((r"^(?=embeddings\.|encoder\.|pooler\.)", "bert."), *OLD),
    ),
)


def _roberta(config: Config) -> Settings:
    if config["pad_token_id"] is None:
        raise UserError(
            "A roberta counts the places of a caption from pad_token_id, and config.json says null."
        )
    return {
        "segments": config["type_vocab_size"],
        "head_activation": "gelu",
        "first_position": config["pad_token_id"] + 1,
    }


def _as_roberta(settings: Settings) -> dict[str, Any]:
    return {**_as_bert(settings), "pad_token_id": settings["first_position"] - 1}


ROBERTA = replace(
    BERT,
    model_type="roberta",
    read=_roberta,
    write=_as_roberta,
    table=replace(
        BERT.table,
        rows=(
            *_body("roberta"),
            Row("words/bias", "lm_head.bias"),
            Row("words/dense", "lm_head.dense"),
            Row("words/dense_norm", "lm_head.layer_norm"),
            Row("words/unembedding", "lm_head.decoder.weight"),
        ),
        copies=(
            ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
            ("lm_head.decoder.bias", "lm_head.bias"),
        ),
        renames=((r"^(?=embeddings\.|encoder\.|pooler\.)", "roberta."), *OLD),
    ),
)

BLIP_TEXT = replace(
    BERT,
    model_type="blip_text_model",
    read=lambda config: {"head_activation": ACTIVATIONS[config["hidden_act"]]},
    table=replace(BERT.table, fresh=()),
)

# GIT's image comes before the caption in the self-attention, and its output matrix is plain.
GIT_TEXT = replace(
    BERT,
    model_type="git",
    fixed={**POST, "fusion": "prefix"},
    read=lambda _: {},
    table=Table(
        rows=(
            *_body("git"),
            Row("words/bias", "output.bias"),
            Row("words/unembedding", "output.weight"),
        ),
        unused=(r"git\.img_temp(or|er)al_embedding\.\d+", r".*position_ids"),  # of films
        copies=(("output.weight", "git.embeddings.word_embeddings.weight"),),
    ),
)

TEXT = {family.model_type: family for family in (GPT2, BERT, ROBERTA)}
