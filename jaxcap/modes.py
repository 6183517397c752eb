"""What `jaxcap.main` can do with a config and a run directory."""

import signal
from collections.abc import Callable
from pathlib import Path

import jax
from ml_collections import ConfigDict

from jaxcap.config import check
from jaxcap.data.sources import open_source
from jaxcap.evaluate import Evaluation, evaluate_predictions, write
from jaxcap.experiment import Experiment
from jaxcap.run import Run
from jaxcap.samples import draw_samples
from jaxcap.train import print_scores
from jaxcap.train import train as train_run

STOPPED = 128 + signal.SIGTERM  # so that who sent it knows that there is more to do


def train(config: ConfigDict, workdir: str) -> int:
    """Train, or go on training; returns the exit status."""
    return 0 if train_run(config, workdir) else STOPPED


def evaluate(config: ConfigDict, workdir: str) -> None:
    """Score the best checkpoint of the run, or a file of predictions, on the evaluation split."""
    if Path(workdir).is_file():
        check(config)
        source = open_source(config.data.source, config.data.eval)
        print_scores(evaluate_predictions(Path(workdir), source, config.seed))
        return
    run = Run(workdir)
    run.best_step()  # a directory that holds no run is refused before anything is written to it
    found, step = evaluate_run(Experiment.open(config, run), run, run.path)
    if jax.process_index() == 0:
        print_scores(found, step)


def evaluate_run(experiment: Experiment, run: Run, out: Path) -> tuple[Evaluation, int]:
    """Evaluate the best checkpoint on the evaluation split, and write what was found to a folder.

    Returns:
      What was found, and the step of the checkpoint.
    """
    step = run.best_step()
    with jax.set_mesh(experiment.mesh):
        variables = experiment.restore_variables(run, step)
        if experiment.config.data.cache:
            experiment.keep_memories(variables)
        first = jax.process_index() == 0
        found = experiment.evaluate(variables, step, progress=first)
    if first:
        write(found, out)
        draw_samples(found, experiment.eval_example, out / "samples.png")
    return found, step


def encode(config: ConfigDict, workdir: str) -> None:
    """Keep the memories of a frozen encoder, of both splits."""
    experiment = Experiment.open(config, Run(workdir))
    with jax.set_mesh(experiment.mesh):
        experiment.keep_memories(experiment.fresh_state()[0].variables())


MODES: dict[str, Callable[[ConfigDict, str], int | None]] = {
    "train": train,
    "eval": evaluate,
    "encode": encode,
}
