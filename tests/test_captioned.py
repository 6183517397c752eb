"""The devices have the next batch before the host reads the one before it."""

import pytest

from jaxcap.captioned import one_ahead


@pytest.mark.parametrize(
    ("count", "expected"), [(3, "sends 0, sends 1, reads 0, sends 2, reads 1, reads 2"), (0, "")]
)
def test_one_is_sent_ahead_and_all_are_read_in_order(count, expected):
    done = []

    def sent():
        for number in range(count):
            done.append(f"sends {number}")
            yield number

    for number in one_ahead(sent()):
        done.append(f"reads {number}")
    assert ", ".join(done) == expected
