"""What `jaxcap.main` can do with a config and a run directory."""

import jax
from ml_collections import ConfigDict

from jaxcap.checkpoint import Run
from jaxcap.evaluate import write
from jaxcap.experiment import Experiment
from jaxcap.samples import draw_samples
from jaxcap.train import print_scores
from jaxcap.train import train as train_run


def train(config: ConfigDict, workdir: str) -> None:
    """Train, or go on training."""
    train_run(config, workdir)


def evaluate(config: ConfigDict, workdir: str) -> None:
    """Evaluate the best checkpoint of the run on the evaluation split."""
    run = Run(workdir)
    experiment = Experiment.open(config, run)
    step = run.best_step()
    with jax.set_mesh(experiment.mesh):
        variables = experiment.restore_variables(run, step)
        if config.data.cache:
            experiment.keep_memories(variables)
        found = experiment.evaluate(variables, step)
    if jax.process_index() == 0:
        print_scores(found, step)
        write(found, run.path)
        draw_samples(found, experiment.eval_example(), run.path / "samples.png")


def encode(config: ConfigDict, workdir: str) -> None:
    """Keep the memories of a frozen encoder, of both splits."""
    experiment = Experiment.open(config, Run(workdir))
    with jax.set_mesh(experiment.mesh):
        experiment.keep_memories(experiment.fresh_state().variables())


MODES = {"train": train, "eval": evaluate, "encode": encode}
