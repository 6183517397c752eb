"""Contenders take turns, and what warms a turn up is not in its time."""

import pytest


@pytest.fixture
def turns(script):
    return script("turns")


@pytest.mark.parametrize(("warm", "expected"), [(0, "ab abab"), (1, "ab aabbaabb")])
def test_who_is_called_when(turns, warm, expected):
    called = []
    contenders = {name: lambda name=name: called.append(name) for name in "ab"}
    times = turns.by_turns(contenders, 2, warm)
    assert "".join(called) == expected.replace(" ", "")
    assert {name: len(each.rounds) for name, each in times.items()} == {"a": 2, "b": 2}


def test_only_the_last_call_of_a_turn_is_timed(turns, monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(turns.time, "perf_counter", lambda: float(next(now)))
    slow = iter([0, 50, 0, 50, 0])
    times = turns.by_turns({"a": lambda: [next(now) for _ in range(next(slow) // 50)]}, 2, 1)
    assert times["a"].rounds == [1.0, 1.0]
    assert times["a"].median == 1.0
