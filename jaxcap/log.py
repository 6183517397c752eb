"""What a run tells: metrics.jsonl always, TensorBoard where installed, a bar for people."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import jax
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxcap.atomic import write_text

console = Console(soft_wrap=True, highlight=False)


class MetricsLog:
    """Numbers by step, one JSON object a line; only the first process writes.

    What a killed run had written of steps after `start` is dropped: they are done again.
    """

    def __init__(self, folder: Path, start: int):
        self._file = folder / "metrics.jsonl"
        self._writes = jax.process_index() == 0
        self._board = None
        if not self._writes:
            return
        if self._file.exists():
            lines = self._file.read_text(encoding="utf-8").splitlines()
            write_text(self._file, "".join(f"{line}\n" for line in lines if _until(line, start)))
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            return
        self._board = SummaryWriter(str(folder), purge_step=start + 1)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Append the numbers of a step."""
        if not self._writes:
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **numbers}) + "\n")
        if self._board is not None:
            for name, number in numbers.items():
                self._board.add_scalar(name, number, step)
            self._board.flush()


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


def _until(line: str, step: int) -> bool:
    try:
        return json.loads(line)["step"] <= step
    except (ValueError, KeyError):  # the line that a kill cut short
        return False
