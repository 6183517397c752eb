"""The real programs of a config, from shapes alone: no data, no weights and none of the devices."""

import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jaxcap.config import check
from jaxcap.data.showing import Showing
from jaxcap.data.text import build_tokenizer
from jaxcap.decode import Search
from jaxcap.decode.captions import captioner
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.models.product import for_steps
from jaxcap.partition import batch_sharding, check_batch, make_mesh, over_batch
from jaxcap.state import linen_variables
from jaxcap.train_step import make_step, trace_step

# What libtpu would otherwise ask a cloud for, and complain that it is not there.
NO_CHIP = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # as no chip is taken
}


def topology_mesh(config: ConfigDict, topology: str) -> Mesh:
    """The config's mesh over the chips of a topology, such as "v5e:16x16".

    Raises:
      UserError: libtpu is not there, or knows no such topology.
    """
    for name, value in NO_CHIP.items():
        os.environ.setdefault(name, value)
    from jax.experimental import topologies

    try:
        devices = topologies.get_topology_desc(topology_name=topology, platform="tpu").devices
    except Exception as error:
        raise UserError(
            f"No program can be compiled for {topology} here: {str(error).splitlines()[0]} It "
            "takes libtpu (pip install -e '.[tpu]') and a topology such as v5e:16x16."
        ) from error
    # What is compiled for chips that are not here could not be read back.
    jax.config.update("jax_enable_compilation_cache", False)
    return make_mesh(config.mesh.to_dict(), devices)


def train_program(config: ConfigDict, mesh: Mesh) -> jax.stages.Traced:
    """The step that training compiles."""
    experiment = _experiment(config, mesh)
    config = experiment.config
    check_batch(config.batch_size, mesh, config.accumulate)
    rows = (config.batch_size, config.data.captions, config.data.max_len)
    batch = {
        **_shown(config, config.batch_size),
        "tokens": np.broadcast_to(np.int32(0), rows),
        "mask": np.broadcast_to(False, rows),
    }
    step = make_step(experiment.model, config, experiment.optimizer, experiment.tokenizer)
    with jax.set_mesh(mesh):
        return trace_step(step, experiment.abstract_state(), _on(mesh, batch))


def caption_program(config: ConfigDict, mesh: Mesh) -> jax.stages.Traced:
    """The search that evaluation compiles."""
    experiment, size = _experiment(config, mesh), config.eval.batch_size
    check_batch(size, mesh, name="eval.batch_size")
    search = Search.of(**{"max_len": config.data.max_len, **config.search.to_dict()})
    numbers = np.zeros(size, np.int32)
    batch = {
        **_shown(config, size),
        "prompt": np.zeros((size, 0), np.int32),
        "prompt_len": numbers,
        "index": numbers,
    }
    find = over_batch(captioner(experiment.model, experiment.tokenizer, search, config.seed), mesh)
    variables = linen_variables(*experiment.on_mesh(experiment.abstract_variables))
    if mesh.devices.flat[0].platform == "cpu":
        variables = jax.eval_shape(for_steps, variables)
    with jax.set_mesh(mesh):
        return find.trace(variables, _on(mesh, batch))


# By what `--what` asks for: the program, and how often its loop goes round at most.
PROGRAMS: dict[str, tuple[Callable[[ConfigDict, Mesh], jax.stages.Traced], Callable[..., int]]] = {
    "train": (train_program, lambda config: 1),
    "caption": (caption_program, lambda config: config.search.get("max_len", config.data.max_len)),
}


def _experiment(config: ConfigDict, mesh: Mesh) -> Experiment:
    """With a tokenizer that knows no words: only their number counts."""
    check(config)
    if config.init_from or any(
        config.model[part].get("init_from") for part in ("encoder", "decoder")
    ):
        raise UserError(
            "A program is compiled ahead for a model of its own: leave init_from empty."
        )
    if config.objective.samples:
        raise UserError(
            "A step that draws captions depends on the data, and is not compiled ahead: leave "
            "objective.samples at 0."
        )
    config = ConfigDict(config.to_dict())
    if not config.model.vocab_size:
        if config.tokenizer.kind != "bpe":
            raise UserError(
                "How many words there are is not known without the data: set model.vocab_size."
            )
        config.model.vocab_size = config.tokenizer.vocab_size
    return Experiment(config, build_tokenizer("word", ["a"]), mesh)


def _shown(config: ConfigDict, size: int) -> dict[str, np.ndarray]:
    """Of each image nothing, without room for it."""
    blank = Showing.of(config.data).blank()
    return {name: np.broadcast_to(leaf, (size, *leaf.shape)) for name, leaf in blank.items()}


def _on(mesh: Mesh, batch: dict[str, np.ndarray]) -> dict[str, Any]:
    layout = batch_sharding(mesh)
    return {
        name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=layout)
        for name, leaf in batch.items()
    }
