"""A captioner behind an engine that is warm, and clients of it."""

import threading
from dataclasses import replace

import jax
import pytest
from asking import ABOUT, png
from starlette.testclient import TestClient
from tiny_run import photographs

from jaxcap.captioner import Captioner
from jaxcap.serve.app import application
from jaxcap.serve.engine import Engine
from jaxcap.serve.limits import Limits
from jaxcap.serve.metrics import Metrics


@pytest.fixture(scope="session")
def captioner(tiny_run):
    return Captioner.load(tiny_run)


@pytest.fixture(scope="session")
def photos():
    """Photographs as PNG files."""
    return [png(array) for array in photographs(24)]


@pytest.fixture
def make_engine(captioner):
    """Makes warm engines with other limits; the programs of one captioner serve all of them."""
    engines = []

    def made(wait=0.01, size=16, warm=True, **limits):
        engine = Engine(captioner, replace(Limits(), **limits), Metrics(), size=size, wait=wait)
        engines.append(engine)
        if warm:
            engine.warm_up()
            assert engine.failure is None
        return engine

    yield made
    for engine in engines:
        engine.close(10)


@pytest.fixture
def engine(make_engine):
    return make_engine()


@pytest.fixture
def client(engine):
    return TestClient(application(engine, ABOUT), base_url="http://localhost")


@pytest.fixture
def compilations():
    """Says how many programs XLA has compiled since the test began."""
    compiled = []

    def heard(event, seconds, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(heard)
    yield lambda: len(compiled)
    jax.monitoring.unregister_event_duration_listener(heard)


class Gate:
    """A call that waits until the gate is open."""

    def __init__(self, call):
        self._call, self.opened, self.reached = call, threading.Event(), threading.Event()

    def __call__(self, *args, **named):
        self.reached.set()
        assert self.opened.wait(60)
        return self._call(*args, **named)


@pytest.fixture
def gate(captioner, monkeypatch):
    """Holds up what runs on the device, until it is opened."""
    made = Gate(captioner._find)

    def close():
        monkeypatch.setattr(captioner, "_find", made)
        return made

    yield close
    made.opened.set()
