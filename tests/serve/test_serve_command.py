"""`jaxcap serve` as a process: its address, its end, and what keeps it from beginning."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from typer.testing import CliRunner

from jaxcap.cli import app
from jaxcap.serve.limits import Limits
from jaxcap.serve.run import uvicorn_config

PART = b'--xx\r\nContent-Disposition: form-data; name="image"\r\n\r\n%s\r\n--xx--\r\n'
KIND = {"Content-Type": "multipart/form-data; boundary=xx"}
COMMAND = "import tiny_run; from jaxcap.cli import main; main()"  # which knows the tiny encoder
PATH = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])


@pytest.fixture
def serve(tiny_run):
    servers = []

    def begun(*options, host="127.0.0.1", **environment):
        server = subprocess.Popen(
            [
                *(sys.executable, "-c", COMMAND, "serve", str(tiny_run)),
                *("--port", "0", "--host", host, *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": PATH, **environment},
        )
        servers.append(server)
        address = server.stdout.readline()
        return server, int(re.search(rf"http://{re.escape(host)}:(\d+)$", address)[1])

    yield begun
    for server in servers:
        server.kill()
        server.communicate()


def test_a_request_has_no_more_images_than_the_queue(monkeypatch):
    """Or it would be told to come again, for ever."""
    given = {}
    monkeypatch.setattr("jaxcap.serve.run.serve", lambda run, **how: given.update(how))
    assert CliRunner().invoke(app, ["serve", "--queue", "4"]).exit_code == 0
    assert (given["limits"].images, given["limits"].queue) == (4, 4)


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def accepts(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_it_answers_what_it_was_asked_before_it_ends(serve, photos):
    """The signal comes when the server has begun to read a request whose body is still to come."""
    server, port = serve(JAXCAP_TOKEN="secret")
    assert ask(port, "GET", "/healthz") == (200, b'{"status":"ok"}')
    while ask(port, "GET", "/readyz")[0] != 200:
        time.sleep(0.1)
    body = PART % photos[0]
    assert ask(port, "POST", "/v1/caption", body, **KIND)[0] == 401
    head = (
        "POST /v1/caption?secret=1 HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: {KIND['Content-Type']}\r\n"
        "Authorization: Bearer secret\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=60) as late:
        late.sendall(head.encode())
        assert late.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        server.send_signal(signal.SIGTERM)
        while accepts(port):
            time.sleep(0.05)
        late.sendall(body)
        answer = http.client.HTTPResponse(late)
        answer.begin()
        assert answer.status == 200
        assert b"captions" in answer.read()
    out, err = server.communicate(timeout=60)
    assert server.returncode == 0
    assert out == "Stopped.\n"
    assert "POST /v1/caption 200" in err
    assert "secret" not in err


def test_it_may_be_ended_while_it_warms_up(serve):
    server, _ = serve()
    server.terminate()
    server.communicate(timeout=60)
    assert server.returncode == 0


def test_a_head_has_its_time_too(serve):
    """One that never ends, none at all, and the second of a connection."""
    _, port = serve("--timeout", "1")
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(3)]
    trickle, _, second = clients
    trickle.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nName: ")
    trickle.setblocking(False)
    second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(2):  # an idle connection is kept for its next request
        kept.request("GET", "/healthz")
        assert kept.getresponse().read() == b'{"status":"ok"}'
        began = time.monotonic()
        while time.monotonic() < began + 2:
            with contextlib.suppress(OSError):  # it may be gone already
                trickle.sendall(b"a")
            time.sleep(0.1)
    kept.close()
    second.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
    trickle.settimeout(20)
    for client in clients:
        with client, contextlib.suppress(ConnectionResetError):
            while client.recv(4096):
                pass
    assert ask(port, "GET", "/healthz")[0] == 200


def test_names_at_any_address(serve):
    _, port = serve("--name", "Captions.Example", host="0.0.0.0")
    for name, status in (("captions.example", 200), ("localhost", 200), ("elsewhere.example", 403)):
        assert ask(port, "GET", "/healthz", Host=name)[0] == status


@pytest.mark.parametrize("seconds", [0.5, 60.0, 900.0])
def test_a_request_has_its_time_when_the_server_is_stopped(seconds):
    config = uvicorn_config(Starlette(), Limits(seconds=seconds))
    assert config.timeout_graceful_shutdown > seconds


def test_what_cannot_be_served(tiny_run, tmp_path):
    (tmp_path / "notes.txt").touch()
    told = CliRunner().invoke(app, ["serve", str(tmp_path)])
    assert told.exit_code == 2
    assert "not a run directory" in told.output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = CliRunner().invoke(app, ["serve", str(tiny_run), "--port", str(port)])
    assert told.exit_code == 2
    assert f"Cannot listen at 127.0.0.1, port {port}: " in told.output
    told = CliRunner().invoke(app, ["serve", str(tiny_run), "--max-batch", "17"])
    assert told.exit_code == 2
