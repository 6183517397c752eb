"""The tiny run, trained further on captions that it draws."""

from tiny_run import get_config

from jaxcap.data.pipeline import train_batches

SAMPLES = 3


def drawing_config(run, **objective):
    """The config of a run that starts from a tiny one, with all that drawing can ask for."""
    config = get_config()
    config.init_from = str(run)
    config.objective.samples = SAMPLES
    config.objective.max_kl = 1e3
    config.objective.update(objective)
    config.data.captions = 12  # all references
    config.optim.update({"warmup": 0, "eps": 1e-3})  # no noise of tiny gradients
    return config


def batch_of(experiment, number=0):
    """The batch of that number, of 8 images."""
    batches = train_batches(experiment.train_example(), batch_size=8, seed=0, start=number)
    rows = next(batches)
    batches.close()
    return rows
