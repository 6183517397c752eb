"""The server as a process: an address, a captioner, and an orderly end."""

import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from jaxcap.about import about
from jaxcap.captioner import Captioner
from jaxcap.errors import UserError
from jaxcap.run import Run
from jaxcap.serve import watch
from jaxcap.serve.app import application
from jaxcap.serve.engine import Engine
from jaxcap.serve.guard import LOOPBACK
from jaxcap.serve.limits import Limits
from jaxcap.serve.metrics import Metrics
from jaxcap.serve.patience import Patience

SPARE = 5  # seconds beyond a request's own, for its answer to leave when the server is stopped
IDLE = 75  # seconds that a connection is kept for another request


class _Server(uvicorn.Server):
    """Ends when its engine failed to warm up; tells its engine when it is about to end."""

    def __init__(self, config: uvicorn.Config, engine: Engine, patience: Patience):
        super().__init__(config)
        self._engine, self._patience = engine, patience

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; called ten times a second."""
        self._patience.look(self.server_state.connections, time.monotonic())
        return await super().on_tick(counter) or self._engine.failure is not None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; what comes now is refused."""
        self._engine.state = "draining"
        super().handle_exit(sig, frame)


def serve(
    run: Path,
    *,
    host: str,
    port: int,
    size: int,
    wait: float,
    limits: Limits,
    token: str | None,
    names: Sequence[str] = (),
) -> None:
    """Serve a run until SIGTERM or SIGINT; then finish what was asked for.

    Args:
      run: the run directory.
      host, port: to listen at; port 0 is any, and the address is printed.
      size: images in a batch, at most.
      wait: seconds that an image waits for others, at most.
      limits: of requests and of the queue.
      token: that clients must know; None lets everybody in.
      names: by which the server is called, beside those of the loopback; without any, one that
        listens to other machines goes by every name.

    Raises:
      UserError: no such run, one that cannot be served, or an address that cannot be had.
    """
    engine = Engine(Captioner.load(run), limits, Metrics(), size=size, wait=wait)
    listener = _listener(host, port)
    bound, number = listener.getsockname()[:2]
    local = bound in LOOPBACK
    hosts = (*LOOPBACK, *names) if local or names else ()
    app = application(engine, about(Run(run)), token=token, hosts=hosts)
    _log_requests()
    server = _Server(uvicorn_config(app, limits), engine, Patience(limits.seconds))
    for each in (signal.SIGTERM, signal.SIGINT):  # also once more when uvicorn has ended by it
        signal.signal(each, server.handle_exit)
    threading.Thread(target=engine.warm_up, name="warm-up", daemon=True).start()
    address = f"[{bound}]" if ":" in bound else bound
    print(f"Serving {run} at http://{address}:{number}", flush=True)
    if not local and token is None:
        print("Whoever reaches this address may use it: there is no token.", flush=True)
    server.run([listener])
    engine.close(1)
    if engine.failure is not None:
        raise engine.failure
    print("Stopped.", flush=True)
    os._exit(0)  # nothing ends a compilation, and Python would not end before its thread


def uvicorn_config(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """How uvicorn runs an app: it ends no sooner than the last request has had its time."""
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=math.ceil(limits.seconds) + SPARE,
    )


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise UserError(f"Cannot listen at {host}, port {port}: {error}.") from error


def _log_requests() -> None:
    """A line for each request on the standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    watch.log.addHandler(handler)
    watch.log.setLevel(logging.INFO)
    watch.log.propagate = False
