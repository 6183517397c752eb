"""All writers of a run: which there are, and that one that fails costs only itself."""

import errno
import json

import pytest
from events import scalars

from jaxcap.errors import UserError
from jaxcap.writers import WRITERS, Writers, check_writers
from jaxcap.writers.jsonl import Jsonl
from jaxcap.writers.tensorboard import TensorBoard
from jaxcap.writers.writer import Writer


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def failing(method):
    """A TensorBoard writer of which a method finds the disk full."""

    def fail(self, *_):
        if method == "close":
            TensorBoard.close(self)  # or the test would leave a file open
        raise OSError(errno.ENOSPC, "No space left [on /the device]")

    return type("Failing", (TensorBoard,), {method: fail})


@pytest.mark.parametrize("names", [(), ("tensorboard",)])
def test_metrics_are_written_whatever_else_is(names, tmp_path):
    with Writers(tmp_path, 0, names) as writers:
        writers.scalars(1, {"loss": 0.5})
        writers.scalars(1, {"eval/CIDEr": 0.25})
        writers.samples(1, [])
    assert lines(tmp_path) == [{"step": 1, "loss": 0.5}, {"step": 1, "eval/CIDEr": 0.25}]
    expected = [(1, "loss", 0.5), (1, "eval/CIDEr", 0.25)] if names else []
    assert scalars(tmp_path) == expected


@pytest.mark.parametrize("method", ["__init__", "scalars", "samples", "close"])
def test_a_writer_that_fails_costs_only_itself_and_is_told_once(
    method, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(WRITERS, "tensorboard", failing(method))
    with Writers(tmp_path, 0, ["tensorboard"]) as writers:
        for step in (1, 2):
            writers.scalars(step, {"loss": 0.5})
            writers.samples(step, [])
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]
    told = capsys.readouterr().out
    assert told.count("left out from here on: OSError: [Errno 28] No space left [on /the") == 1
    assert "tensorboard cannot be written" in told


def test_metrics_that_cannot_be_written_cost_the_others_nothing(tmp_path, capsys):
    (tmp_path / "metrics.jsonl").mkdir()
    with Writers(tmp_path, 0, ["tensorboard"]) as writers:
        writers.scalars(1, {"loss": 0.5})
        writers.scalars(2, {"loss": 0.5})
    assert len(scalars(tmp_path)) == 2
    assert capsys.readouterr().out.count("metrics.jsonl cannot be written") == 1


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("jax.process_index", lambda: 1)
    with Writers(tmp_path, 0, ["tensorboard"]) as writers:
        writers.scalars(1, {"loss": 0.5})
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_wrote_of_later_steps_is_dropped(tmp_path):
    steps = "".join(f'{{"step": {step}}}\n' for step in range(1, 7))
    (tmp_path / "metrics.jsonl").write_text(steps + '{"step": 7, "lo')
    Jsonl(tmp_path, 5).scalars(5, {"loss": 0.5})
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]
    assert lines(tmp_path)[-1] == {"step": 5, "loss": 0.5}


def test_a_writer_that_is_not_there_is_refused(monkeypatch):
    check_writers(("tensorboard",))
    with pytest.raises(UserError, match=r"no writer 'tensorbord' .* Did you mean 'tensorboard'"):
        check_writers(("tensorbord",))
    with pytest.raises(UserError, match=r"'tensorboard,wandb' .*\('tensorboard','wandb'\)"):
        check_writers(("tensorboard,wandb",))
    monkeypatch.setattr("jaxcap.writers.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs wandb.* pip install 'jaxcap\[wandb\]'"):
        check_writers(("wandb",))


@pytest.mark.parametrize("kind", [Jsonl, *WRITERS.values()])
def test_each_has_what_a_writer_has(kind):
    assert issubclass(kind, Writer)
