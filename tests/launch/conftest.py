"""A machine for each test, whose programs end with it."""

import pytest
from machines import Machine


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.end()
