"""The scripts of benchmarks/ as modules."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports one by its name; afterwards it and what it imported from its folder are forgotten."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = {*sys.modules}

    def imported(name):
        module = import_module(name)
        assert Path(module.__file__).parent == FOLDER
        return module

    yield imported
    for name in {*sys.modules} - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == FOLDER:
            del sys.modules[name]
