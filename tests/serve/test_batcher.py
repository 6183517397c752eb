"""The queue: who runs with whom, who waits for whom, and that every job has its own result."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxcap.serve.batcher import Batcher
from jaxcap.serve.programs import WAITING, Programs


class Log:
    """Runs batches, and remembers them; held up until `go` is set."""

    def __init__(self, go=True):
        self.batches, self.go, self.began = [], threading.Event(), threading.Event()
        if go:
            self.go.set()

    def __call__(self, key, items):
        self.batches.append((key, list(items)))
        self.began.set()
        assert self.go.wait(10)
        if "bad" in items:
            raise ValueError(key)
        return [(key, item) for item in items]


@pytest.fixture
def batcher():
    made = []

    def make(run, fit=lambda key, jobs: jobs, size=4, wait=0.0):
        made.append(Batcher(run, fit, size, wait))
        return made[-1]

    yield make
    for each in made:
        assert each.close(10)


def held(batcher, **more):
    """A queue whose first job, of a key of its own, holds up all others."""
    log = Log(go=False)
    queue = batcher(log, **more)
    (first,) = queue.put("first", ["first"])
    assert log.began.wait(10)
    log.batches.clear()
    return log, queue, first


def test_what_waits_runs_together(batcher):
    log, queue, _ = held(batcher)
    futures = [*queue.put("a", [1, 2]), *queue.put("b", [3]), *queue.put("a", [4, 5, 6])]
    log.go.set()
    expected = list(zip("aabaaa", range(1, 7), strict=True))
    assert [future.result(10) for future in futures] == expected
    assert log.batches == [("a", [1, 2, 4, 5]), ("b", [3]), ("a", [6])]


def test_a_job_waits_for_others_and_not_for_ever(batcher):
    log = Log()
    patient = batcher(log, size=2, wait=1000)
    (one,) = patient.put("a", [1])
    assert not log.began.wait(0.05)
    (two,) = patient.put("a", [2])  # it is full
    assert [one.result(10)[1], two.result(10)[1]] == [1, 2]
    assert log.batches == [("a", [1, 2])]
    (alone,) = batcher(log, size=2, wait=0.01).put("a", [3])
    assert alone.result(10) == ("a", 3)


def test_a_cancelled_job_leaves(batcher):
    log, queue, first = held(batcher)
    stays, leaves = queue.put("a", [1, 2])
    assert leaves.cancel()
    assert not first.cancel()  # it is being run
    log.go.set()
    assert stays.result(10) == ("a", 1)
    assert first.result(10)
    with pytest.raises(CancelledError):
        leaves.result(10)
    assert log.batches == [("a", [1])]


def test_an_error_is_of_its_batch_alone(batcher):
    queue = batcher(Log())
    (bad,), (good,) = queue.put("a", ["bad"]), queue.put("b", [1])
    with pytest.raises(ValueError, match="a"):
        bad.result(10)
    assert good.result(10) == ("b", 1)


def test_a_key_that_may_not_run_yet_is_passed_by(batcher):
    may = {"b": 4}
    log = Log()
    queue = batcher(log, fit=lambda key, jobs: min(jobs, may.get(key, 0)))
    waits, goes = queue.put("a", [1, 2, 3])[0], queue.put("b", [4])[0]
    assert goes.result(10) == ("b", 4)
    assert not waits.done()
    may["a"] = 2
    queue.wake()
    assert waits.result(10) == ("a", 1)
    assert queue.close(10)
    assert log.batches == [("b", [4]), ("a", [1, 2]), ("a", [3])]


def test_closing_runs_what_is_there(batcher):
    log, queue, _ = held(batcher)
    (late,) = queue.put("a", [1])
    assert not queue.close(0.01)
    log.go.set()
    assert queue.close(10)
    assert late.result(0) == ("a", 1)
    patient = batcher(Log(), wait=1000)
    (last,) = patient.put("b", [2])
    assert not last.done()
    assert patient.close(10)
    assert last.result(0) == ("b", 2)


@given(
    jobs=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=12),
    size=st.integers(1, 6),
)
def test_every_job_has_its_own_result(jobs, size):
    log = Log()
    queue = Batcher(log, lambda key, count: count, size, 0.0)
    with ThreadPoolExecutor(4) as clients:
        put = list(
            clients.map(
                lambda at: queue.put(at[1][0], [(at[0], n) for n in range(at[1][1])]),
                enumerate(jobs),
            )
        )
    assert queue.close(10)
    for number, ((key, count), futures) in enumerate(zip(jobs, put, strict=True)):
        assert [f.result(0) for f in futures] == [(key, (number, n)) for n in range(count)]
    assert all(len(items) <= size for _, items in log.batches)
    assert all(key == jobs[number][0] for key, items in log.batches for number, _ in items)


class Compiler:
    """Compiles what it is let to, and remembers it."""

    def __init__(self):
        self.done, self.go = [], threading.Semaphore(0)
        self.changed = threading.Semaphore(0)

    def __call__(self, search, size):
        assert self.go.acquire(timeout=60)
        if search == "bad":
            raise ValueError(search)
        self.done.append((search, size))

    def let(self, programs=1):
        self.go.release(programs)
        for _ in range(programs):
            assert self.changed.acquire(timeout=60)


@pytest.fixture
def compiler():
    return Compiler()


def kept(compiler, keep=10):
    return Programs(compiler, compiler.changed.release, (1, 4, 16), keep)


def test_a_program_is_compiled_once_for_what_waits(compiler):
    programs = kept(compiler)
    assert [programs.fit("a", 3) for _ in range(3)] == [0, 0, 0]
    compiler.let()
    assert programs.fit("a", 3) == 3
    assert programs.fit("a", 1) == 1  # in the larger program, while its own is compiled
    assert programs.fit("a", 9) == 4  # as many as there is a program for
    compiler.let(2)
    assert programs.fit("a", 9) == 9
    assert compiler.done == [("a", 4), ("a", 1), ("a", 16)]


def test_programs_used_last_are_kept(compiler):
    programs = kept(compiler, keep=2)
    for search in "ab":
        programs.fit(search, 1)
        compiler.let()
    assert programs.fit("a", 1) == 1
    programs.fit("c", 1)
    compiler.let()
    assert [programs.fit(search, 1) for search in "acb"] == [1, 1, 0]
    compiler.let()


def test_few_searches_wait_to_be_compiled(compiler):
    programs = kept(compiler)
    for search in range(WAITING):
        assert programs.takes(search)
        programs.fit(search, 1)
    assert not programs.takes("another")
    assert programs.takes(0)  # it is coming
    compiler.let()
    assert programs.takes("another")
    compiler.let(WAITING - 1)


def test_what_cannot_be_compiled_is_left_to_its_run(compiler, caplog):
    """Whose jobs then hear what was wrong."""
    programs = kept(compiler)
    assert programs.fit("bad", 1) == 0
    compiler.let()
    assert programs.fit("bad", 1) == 1
    assert "could not be compiled" in caplog.text
    compiler.go.release()
    with pytest.raises(ValueError, match="bad"):
        programs.prepare("bad", 4)
