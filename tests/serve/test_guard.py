"""Who is answered at all."""

import pytest
from asking import ABOUT, as_form
from starlette.testclient import TestClient

from jaxcap.serve.app import application
from jaxcap.serve.guard import LOOPBACK


@pytest.fixture
def guarded(engine):
    app = application(engine, ABOUT, token="öpen sesame", hosts=LOOPBACK)
    return TestClient(app, base_url="http://localhost:8000")


SECRET = {"Authorization": "Bearer öpen sesame".encode()}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer open sesame"}, {"Token": "x"}],
)
@pytest.mark.parametrize("path", ["/v1/info", "/metrics"])
def test_who_does_not_know_the_token(guarded, path, headers):
    answer = guarded.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert guarded.get(path, headers=SECRET).is_success


def test_captions_need_the_token(guarded, photos):
    assert guarded.post("/v1/caption", **as_form(photos[0])).status_code == 401
    assert guarded.post("/v1/caption", **as_form(photos[0]), headers=SECRET).is_success


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_what_needs_no_token(guarded, path):
    assert guarded.get(path).is_success


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("captions.example", 403),
        ("localhost.example:8000", 403),
        ("", 403),
    ],
)
def test_names_that_lead_here(guarded, host, status):
    """A name of somebody else's, made to lead to this machine, would let their page read."""
    assert guarded.get("/healthz", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200)]
)
def test_pages_of_other_sites(client, photos, site, status):
    answer = client.post("/v1/caption", **as_form(photos[0]), headers={"Sec-Fetch-Site": site})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://192.0.2.7:8000", "192.0.2.7:8000", 200),
        ("http://captions.lan", "Captions.lan:80", 200),
        ("https://captions.example", "captions.example", 200),
        ("https://captions.example", "captions.example:443", 200),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]:8000", 200),
        ("http://elsewhere.example", "192.0.2.7:8000", 403),
        ("http://192.0.2.7:9000", "192.0.2.7:8000", 403),
        ("http://192.0.2.7", "192.0.2.7:8000", 403),
        ("null", "192.0.2.7:8000", 403),
        ("null", "", 403),
    ],
)
def test_pages_of_other_origins(client, photos, origin, host, status):
    """Over plain http to another machine browsers send no Sec-Fetch-Site."""
    headers = {"Origin": origin, "Host": host}
    answer = client.post("/v1/caption", **as_form(photos[0]), headers=headers)
    assert answer.status_code == status
    assert client.get("/healthz", headers=headers).status_code == 200


def test_the_page_behind_a_proxy_that_calls_the_server_otherwise(client, photos):
    """The browser knows better than the addresses, and no page can speak for it."""
    headers = {"Origin": "https://captions.example", "Host": "127.0.0.1:8000"}
    headers["Sec-Fetch-Site"] = "same-origin"
    assert client.post("/v1/caption", **as_form(photos[0]), headers=headers).is_success


def test_names_have_no_case(engine):
    client = TestClient(application(engine, ABOUT, hosts=["Captions.Example"]))
    for host in ("captions.example", "CAPTIONS.example:8000"):
        assert client.get("/healthz", headers={"Host": host}).is_success


@pytest.mark.parametrize("path", ["/", "/docs", "/static/app.js"])
def test_pages_that_are_kept_are_asked_for_again(client, path):
    """Or a browser would join old modules with new ones."""
    answer = client.get(path)
    assert answer.is_success
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get("/static/app.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/healthz", "/v1/info", "/none", "/v1/caption", "/metrics"])
def test_headers_of_every_answer(client, path):
    headers = client.get(path, headers={"Origin": "https://captions.example"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not any(name.startswith("access-control") for name in headers)
    assert (headers.get("Cache-Control") == "no-store") == path.startswith("/v1/")
    asked = {"Origin": "https://captions.example", "Access-Control-Request-Method": "POST"}
    asked = client.options(path, headers=asked)
    assert not any(name.startswith("access-control") for name in asked.headers)
