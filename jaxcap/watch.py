"""What is watched while the devices work: metrics that are not yet read, and the time."""

import operator
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxcap.errors import UserError
from jaxcap.run import Run

# Of what is drawn: the field that bounds it, if that is not 0; its metric; when it is past; what it
# is then.
BOUNDS = (
    (
        "min_entropy",
        "token_entropy",
        operator.lt,
        "nats a token, so that an image's samples are nearly all the same",
    ),
    ("max_kl", "kl", operator.gt, "nats a caption from the model that it began with"),
)


class Window:
    """The metrics of the steps since the last look, still on the device."""

    def __init__(self, start: int):
        self._start = start
        self._metrics: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._metrics)

    def add(self, metrics: dict[str, Any]) -> None:
        """Keep the metrics of a step, without waiting for them."""
        self._metrics.append(metrics)

    def close(self, step: int, run: Run, objective: ConfigDict) -> dict[str, float]:
        """Their means, and the sum of unreadable images.

        Args:
          step: the last of them.
          run: whose checkpoints are named where training cannot go on.
          objective: `config.objective`, with the bounds of what is drawn.

        Raises:
          UserError: a loss, a gradient or an update was not finite, or what is drawn is out of
            its bounds.
        """
        stacked = jax.tree.map(lambda *rows: np.asarray(jnp.stack(rows)), *self._metrics)
        # An update that is not finite shows in the loss only a step later: too late for a save.
        finite = np.isfinite(stacked["loss"] + stacked["grad_norm"] + stacked["update_norm"])
        if not finite.all():
            bad = int(np.argmin(finite))
            run.wait()
            raise UserError(
                f"The loss or the update is not finite at step {self._start + 1 + bad} (found when "
                f"looking at steps {self._start + 1} to {step}). The checkpoint of step "
                f"{run.latest_step()} in {run.path} is from before it. Lower optim.lr, raise "
                "optim.warmup or set optim.clip, and start the same command again."
            )
        numbers = {name: float(np.mean(rows)) for name, rows in stacked.items()}
        if numbers["tokens"]:  # without an image that can be read, nothing is drawn
            _check_drawn(numbers, step, run, objective)
        return numbers | {"unreadable": float(stacked["unreadable"].sum())}


class Clock:
    """Wall time of the steps, and how much of it the devices had nothing to do for want of data."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew (compilation and evaluation are not part of a step)."""
        self._begin, self._waited = time.perf_counter(), 0.0

    @contextmanager
    def waiting(self, last: Any) -> Iterator[None]:
        """Count the time inside as waiting, if the last step is done by its end.

        The program runs ahead of the devices: as long as they have work, data are not late.
        Of a wait in which they end it, all is counted, so that it is at most so much.

        Args:
          last: an array that the last step made.
        """
        begin = time.perf_counter()
        yield
        if last.is_ready():
            self._waited += time.perf_counter() - begin

    def read(self, images: int, captions: int) -> dict[str, float]:
        """Rates since the last reset."""
        seconds = time.perf_counter() - self._begin
        return {
            "images_per_s": images / seconds,
            "captions_per_s": images * captions / seconds,
            "waiting": self._waited / seconds,
        }

    def seconds_a_step(self, steps: int) -> float:
        """Mean time of a step since the last reset."""
        return (time.perf_counter() - self._begin) / max(steps, 1)


def _check_drawn(numbers: dict[str, float], step: int, run: Run, objective: ConfigDict) -> None:
    """End a run whose captions have lost what they were, before they are all the same."""
    for bound, measured, is_past, what in BOUNDS:
        limit, value = objective[bound], numbers.get(measured)
        if limit and value is not None and is_past(value, limit):
            run.wait()
            raise UserError(
                f"The captions that are drawn are at {value:.3g} {what} (the mean up to step "
                f"{step}); objective.{bound} is {limit}. The run ends here, and {run.path} "
                f"captions with its best checkpoint, of step {run.best_step()}. To go further, "
                "lower optim.lr or move the bound, and start the same command again."
            )
