"""Time in which data were late is told from time in which the program was ahead of its devices."""

import time

import pytest

from jaxcap.watch import Clock


class Made:
    """What a step makes, ready or not."""

    def __init__(self, ready):
        self.is_ready = lambda: ready


@pytest.mark.parametrize("ready", [True, False])
def test_data_are_late_only_if_there_is_nothing_else_to_do(ready):
    clock = Clock()
    with clock.waiting(Made(ready)):
        time.sleep(0.02)
    told = clock.read(images=8, captions=5)
    assert (told["waiting"] > 0.5) == ready
    assert told["captions_per_s"] == pytest.approx(5 * told["images_per_s"])
    clock.reset()
    assert clock.read(1, 1)["waiting"] == 0
