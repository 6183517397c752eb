"""What a run tells people: a console, and a bar."""

from collections.abc import Mapping
from types import TracebackType

import jax
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

# Captions and names of files are told as they are, whatever stands in them.
console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)


class Bar:
    """Progress of the training; plain lines where the output is no terminal."""

    def __init__(self, start: int, steps: int):
        self._progress = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or jax.process_index() != 0,
        )
        self._task = self._progress.add_task("", total=steps, completed=start, numbers="compiling")
        self._steps = steps

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self, step: int) -> None:
        """Move on."""
        self._progress.update(self._task, completed=step)

    def show(self, step: int, numbers: Mapping[str, float], seconds_left: float) -> None:
        """The latest numbers: loss, speed, and the share of time spent waiting for data."""
        text = (
            f"loss {numbers['loss']:.3f}  {numbers['images_per_s']:.1f} images/s  "
            f"{numbers['captions_per_s']:.1f} captions/s  waiting {numbers['waiting']:.1%}"
        )
        self._progress.update(self._task, completed=step, numbers=text)
        if not console.is_terminal and jax.process_index() == 0:
            console.print(f"step {step}/{self._steps}  {text}  {seconds_left / 60:.1f} min left")
