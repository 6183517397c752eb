"""The steps that are asked for are traced, and no others."""

import gzip
import json
from contextlib import closing

import jax
import jax.numpy as jnp
import pytest

from jaxcap.tracer import Tracer


def traced(folder):
    """The numbers of the steps in each trace of a folder."""
    found = []
    for file in sorted(folder.rglob("perfetto_trace.json.gz")):
        events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
        steps = {event["args"]["step_num"] for event in events if event.get("name") == "train"}
        found.append(sorted(map(int, steps)))
    return found


def train(folder, steps, last, fails=None):
    work, x = jax.jit(lambda x: x + 1), jnp.zeros(())
    with closing(Tracer(folder, 10, steps)) as tracer:
        for step in range(11, last + 1):
            tracer.before(step, x)
            if step == fails:
                raise ValueError(step)
            with jax.profiler.StepTraceAnnotation("train", step_num=step):
                x = work(x)


@pytest.mark.parametrize(("last", "expected"), [(20, [[13, 14, 15]]), (14, [[13, 14]]), (12, [])])
def test_those_after_the_first_two_or_as_many_as_there_are(tmp_path, last, expected):
    train(tmp_path, 3, last)
    assert traced(tmp_path) == expected


def test_none_is_asked_for(tmp_path):
    train(tmp_path / "profile", 0, 20)
    assert not (tmp_path / "profile").exists()


def test_a_run_that_fails_leaves_what_was_traced(tmp_path):
    with pytest.raises(ValueError, match="15"):
        train(tmp_path, 3, 20, fails=15)
    assert traced(tmp_path) == [[13, 14]]
    train(tmp_path, 0, 20)  # and nothing is still tracing
