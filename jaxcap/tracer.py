"""Where the time of steps goes: a trace of some of them, for TensorBoard and Perfetto."""

from pathlib import Path
from typing import Any

import jax

from jaxcap.log import console

WARM = 2  # steps before the first traced one, which pay for what is done once


class Tracer:
    """Traces steps of a run into a folder, beside what is there of earlier traces.

    Args:
      folder: `tensorboard --logdir` shows it, and ui.perfetto.dev its perfetto_trace.json.gz.
      start: the step before the first one.
      steps: how many are traced, after `WARM`; 0 traces none.
    """

    def __init__(self, folder: Path, start: int, steps: int):
        self._folder = folder
        self._steps = range(start + 1 + WARM, start + 1 + WARM + steps)
        self._begun = False

    def before(self, step: int, last: Any) -> None:
        """Begin or end the trace, if it is time; `last` is what the step before has made."""
        if step == self._steps.start and self._steps:
            jax.block_until_ready(last)
            options = jax.profiler.ProfileOptions()
            options.python_tracer_level = 0  # each call of Python would hide what devices do
            jax.profiler.start_trace(
                self._folder, create_perfetto_trace=True, profiler_options=options
            )
            self._begun = True
        elif step == self._steps.stop and self._begun:
            jax.block_until_ready(last)
            self.close()

    def close(self) -> None:
        """End the trace that is still going on, if any."""
        if self._begun:
            jax.profiler.stop_trace()
            self._begun = False
            console.print(f"The trace is in {self._folder}")
