"""A bar for people who wait; nothing where the standard error is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class _What(TextColumn):
    """What is done, letter by letter: brackets in the name of a file are no markup."""

    def __init__(self) -> None:
        super().__init__("{task.description}", markup=False)


@contextmanager
def bar(
    what: str, total: int, done: int = 0, shown: bool = True
) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left, and what to call when some more are done.

    Args:
      what: is counted.
      total: of them.
      done: of them before.
      shown: False where it would run into what is printed.
    """
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with _progress(_What(), *columns, shown=shown) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda count: progress.advance(task, count)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A sign that something goes on whose length nobody knows, and how long it has."""
    with _progress(SpinnerColumn("line"), _What(), TimeElapsedColumn(), shown=True) as progress:
        progress.add_task(what, total=None)
        yield


def _progress(*columns: ProgressColumn, shown: bool) -> Progress:
    console = Console(stderr=True)
    hidden = not (shown and console.is_terminal)
    return Progress(*columns, console=console, disable=hidden, transient=True)
