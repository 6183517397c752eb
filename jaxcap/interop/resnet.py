"""ResNets as Transformers publishes them."""

from jaxcap.interop.family import Family
from jaxcap.interop.table import Row, Table

LAYER, THERE = r"layer_(\d+)_(\d+)", r"encoder.stages.\1.layers.\2"
PLACES = (  # of a convolution and its norm, one layer here and two there
    ("stem", "embedder.embedder"),
    (rf"{LAYER}/conv_(\d+)", rf"{THERE}.layer.\3"),
    (rf"{LAYER}/shortcut", rf"{THERE}.shortcut"),
)

RESNET = Family(
    model_type="resnet",
    fields={
        "stem": "embedding_size",
        "widths": "hidden_sizes",
        "depths": "depths",
        "layer": "layer_type",
        "halve_first": "downsample_in_first_stage",
        "halve_early": "downsample_in_bottleneck",
    },
    fixed={"name": "resnet"},
    required={"hidden_act": "relu", "num_channels": 3},
    activation="",
    tokens=False,
    table=Table(
        rows=(
            *(Row(f"{ours}/kernel", f"{theirs}.convolution.weight") for ours, theirs in PLACES),
            *(Row(ours, f"{theirs}.normalization") for ours, theirs in PLACES),
        ),
        unused=(r".*\.num_batches_tracked", r"classifier\..*"),
        renames=((r"^resnet\.", ""),),  # behind a classifier
    ),
)
