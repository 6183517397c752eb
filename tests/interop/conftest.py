"""Captioners of Transformers, trained once for all the tests that compare with them."""

from functools import cache
from types import SimpleNamespace

import pytest

from jaxcap import Captioner
from jaxcap.interop.convert import convert


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory):
    """By name: a captioner of Transformers, and what became of it here; not to be changed."""
    pytest.importorskip("torch", reason="Transformers' models are written in PyTorch")
    from peers import Peer

    @cache
    def make(name):
        folder = tmp_path_factory.mktemp(name)
        theirs = Peer(name)
        theirs.publish(folder / "source")
        report = convert(folder / "source", folder / "run")
        ours = Captioner.load(folder / "run")
        return SimpleNamespace(theirs=theirs, ours=ours, folder=folder, report=report)

    return make
