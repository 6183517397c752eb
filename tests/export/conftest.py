"""Captioners that are exported in the tests."""

from contextlib import contextmanager

import jaxtyping
import pytest

from jaxcap.export.write import export


@contextmanager
def unchecked():
    """Shapes are not checked: that of a batch of any size is no `int`, as annotations have it."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(name="unchecked")
def of_any_size():
    with unchecked():
        yield


@pytest.fixture(scope="session")
def tiny_file(tiny_run, tmp_path_factory):
    """The captioner of `tiny_run`, exported with three beams; not to be written to."""
    file = tmp_path_factory.mktemp("exported") / "captioner.stablehlo"
    with unchecked():
        export(tiny_run, file, beams=3)
    return file
