"""A bar for people who wait; nothing where the output is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        return Text("" if not task.speed else f"{task.speed:.1f}/s")


@contextmanager
def bar(what: str, total: int, shown: bool = True) -> Iterator[Callable[[], None]]:
    """A bar on the standard error, and what to call when one more is done.

    Args:
      what: is counted.
      total: of them.
      shown: False where it would run into what is printed.
    """
    console = Console(stderr=True)
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    hidden = not (shown and console.is_terminal)
    with Progress(
        *columns, _Rate(), TimeRemainingColumn(), console=console, disable=hidden
    ) as made:
        task = made.add_task(what, total=total)
        yield lambda: made.advance(task)
