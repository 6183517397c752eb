"""What is refused, and with which code."""

import re

import numpy as np
import pytest
from asking import ABOUT, BROKEN, as_form, as_json, bomb, png
from starlette.testclient import TestClient

from jaxcap.serve.app import application

FORM = {"Content-Type": "multipart/form-data; boundary=xx"}
JSON = {"Content-Type": "application/json"}
PART = b'--xx\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
END = b"--xx--\r\n"


def refused(answer, status, code):
    """The sentence of an answer that refuses with this code."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    return answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam": 3}, "no setting 'beam'. Did you mean 'beams'"),
        ({"beams": 9}, "beams is 9; expected a whole number from 1 to 8"),
        ({"beams": 0}, "beams is 0"),
        ({"beams": 2.5}, "beams is 2.5; expected a whole number"),
        ({"beams": "many"}, "beams is 'many'"),
        ({"beams": True}, "beams is True"),
        ({"beams": [1]}, r"beams is \[1\]"),
        ({"beams": 2, "num": 3}, "3 captions an image are asked for; 2 beams"),
        ({"min_words": 4, "max_words": 2}, "max_words is 2; expected"),
        ({"length_penalty": 4.5}, "a number from -2 to 4"),
        ({"length_penalty": "nan"}, "length_penalty is 'nan'"),
        ({"temperature": 0.001}, r"temperature is 0 .* or at least 0\.01"),
        ({"temperature": 1, "num": 2, "diverse": True}, "draws captions"),
        ({"prefix": "a zeppelin"}, "words that this captioner has never seen"),
        ({"prefix": "a " * 24}, "after a prompt of 24"),
        ({"prefix": "a" * 4097}, "prefix is longer"),
        ({"prefix": 3}, "prefix is 3; expected text"),
        ({"explain": "perhaps"}, "explain is 'perhaps'; expected true or false"),
        ({"texts": ["a"]}, "Texts are for /v1/score"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_settings(client, photos, settings, message):
    answer = client.post("/v1/caption", **as_json(photos[0], **settings))
    assert re.search(message, refused(answer, 422, "bad_setting"))


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        (JSON, b"{", "no JSON"),
        (JSON, b"[" * 100_000, "too many brackets"),
        (JSON, b"[" * 5000, "no JSON"),
        (JSON, b'{"images": [' + b"{}," * 100_000 + b"{}]}", "too many brackets"),
        (JSON, b"{" + b'"a":1,' * 100_000 + b'"a":1}', "too many brackets"),
        (JSON, b"\xff", "no JSON"),
        (JSON, b"[]", "no object"),
        (JSON, b"{}", "no image"),
        (JSON, b'{"images": "abc"}', "images is no list"),
        (JSON, b'{"images": ["?"]}', "Image 0 is no base64"),
        (JSON, b'{"images": ["QUJD", null]}', "Image 1 is no base64"),
        (JSON, b'{"image": "QUJD", "texts": [1]}', "no list of texts"),
        (JSON, rb'{"image": "QUJD", "texts": ["a \ud800"]}', "half a character"),
        (JSON, rb'{"image": "QUJD", "prefix": "\ud800"}', "half a character"),
        (JSON, b'{"image": "QUJD", "prefix": "\xed\xa0\x80"}', "half a character"),
        (FORM, b"", "cut short"),
        (FORM, END, "no image"),
        (FORM, b"no form", "broken"),
        (FORM, PART % (b"image", b"QUJD"), "cut short"),
        (FORM, PART % (b"beams", b"1") + END, "no image"),
        (FORM, PART % (b"", b"1") + END, "no name"),
        (FORM, PART % (b"image", b"QUJD") + PART % (b"beams", b"\xff") + END, "no UTF-8"),
        (FORM, PART % (b"image", b"QUJD") + PART % (b"beams", b"1") * 2 + END, "more than once"),
        (FORM, b"".join(PART % (b"f%d" % i, b"1") for i in range(200)) + END, "too many fields"),
    ],
    ids=lambda value: "",
)
def test_bodies_that_are_broken(client, headers, body, message):
    answer = client.post("/v1/caption", headers=headers, content=body)
    assert message in refused(answer, 400, "bad_request")


@pytest.mark.parametrize("name", ["beams", "explain", "prefix"])
def test_lists_in_lists_are_no_setting(client, photos, name):
    """However deep they are: as deep as Python reads them it may not be able to write them."""
    (image,) = as_json(photos[0])["json"]["images"]
    for depth in range(800, 1000, 4):
        deep = "[" * depth + "]" * depth
        body = f'{{"image": "{image}", "{name}": {deep}}}'
        answer = client.post("/v1/caption", headers=JSON, content=body)
        assert answer.json()["error"]["code"] in ("bad_setting", "bad_request")


def test_as_many_images_and_texts_as_may_be_are_read_from_json(client, photos):
    texts = [", ".join(["a"] * 40)] * 64
    answer = client.post("/v1/caption", **as_json(*photos[:16], texts=texts))
    assert "Texts are for /v1/score" in refused(answer, 422, "bad_setting")


@pytest.mark.parametrize("kind", ["text/plain", "image/png", "multipart/form-data", ""])
def test_other_media(client, photos, kind):
    answer = client.post("/v1/caption", headers={"Content-Type": kind}, content=photos[0])
    assert "multipart/form-data" in refused(answer, 415, "unsupported_media")


@pytest.mark.parametrize("send", [as_form, as_json])
def test_too_much(make_engine, photos, send):
    engine = make_engine(images=2, file_bytes=len(max(photos[:3], key=len)), body_bytes=40_000)
    client = TestClient(application(engine, ABOUT), base_url="http://localhost")
    assert client.post("/v1/caption", **send(*photos[:2])).status_code == 200
    refused(client.post("/v1/caption", **send(*photos[:3])), 422, "too_many_images")
    larger = send(photos[0] + b"0" * 3000)
    refused(client.post("/v1/caption", **larger), 413, "too_large")
    refused(client.post("/v1/caption", **send(b"0" * 60_000)), 413, "too_large")
    texts = {"image": as_json(photos[0])["json"]["images"][0], "texts": ["a"] * 65}
    refused(client.post("/v1/score", json=texts), 422, "bad_setting")
    refused(client.post("/v1/score", json={**texts, "texts": ["a" * 5000]}), 422, "bad_setting")


def test_what_cannot_be_scored(client, photos):
    for body in ({"files": {"image": photos[0]}}, {**as_form(*photos[:2]), "data": {"text": "a"}}):
        refused(client.post("/v1/score", **body), 400, "bad_request")


@pytest.mark.parametrize("sides", [(30_000, 30_000), (12_000, 12_000), (9_000, 9_500)])
@pytest.mark.parametrize("route", ["caption", "score"])
def test_a_bomb_is_refused_by_its_head(client, sides, route):
    """It has no pixels at all: had anything been decoded, it would be a bad image."""
    more = {"texts": ["a"]} if route == "score" else {}
    answer = client.post(f"/v1/{route}", **as_json(bomb(*sides), **more))
    assert "pixels" in refused(answer, 422, "too_many_pixels")
    refused(client.post("/v1/caption", **as_form(bomb(100, 100))), 422, "bad_image")


@pytest.mark.filterwarnings("ignore")  # as they are where Python is not told otherwise
def test_a_bomb_is_refused_where_warnings_are_none(client):
    answer = client.post("/v1/caption", **as_form(bomb(12_000, 12_000)))
    refused(answer, 422, "too_many_pixels")


def test_a_bomb_does_not_hurt_its_neighbours(client, photos):
    answer = client.post("/v1/caption", **as_form(photos[0], bomb(30_000, 30_000)))
    found, error = answer.json()["results"]
    assert found["captions"]
    assert error["error"]["code"] == "too_many_pixels"


def test_pixels_may_be_fewer(make_engine):
    client = TestClient(application(make_engine(pixels=1200), ABOUT))
    assert client.post("/v1/caption", **as_form(png(np.zeros((30, 40, 3), np.uint8)))).is_success
    answer = client.post("/v1/caption", **as_form(png(np.zeros((30, 41, 3), np.uint8))))
    assert refused(answer, 422, "too_many_pixels").startswith("The image has 41 x 30 pixels")


def test_no_such_page(client):
    refused(client.get("/v2"), 404, "not_found")
    refused(client.get("/v1/caption"), 405, "method_not_allowed")


def test_a_server_that_is_not_warm(make_engine, photos):
    engine = make_engine(warm=False)
    client = TestClient(application(engine, ABOUT))
    answer = client.post("/v1/caption", **as_form(photos[0]))
    refused(answer, 503, "warming_up")
    assert int(answer.headers["Retry-After"]) > 0
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"status": "warming_up", "done": 0, "total": 5}
    assert client.get("/healthz").json() == {"status": "ok"}
    engine.warm_up()
    assert engine.done == engine.total
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.post("/v1/caption", **as_form(photos[0])).is_success
    engine.state = "draining"
    refused(client.post("/v1/caption", **as_form(photos[0])), 503, "draining")
    assert client.get("/readyz").json()["status"] == "draining"


def test_a_mistake_of_the_server_tells_nothing(engine, captioner, photos, monkeypatch):
    def fail(*args):
        raise RuntimeError("of no concern to clients")

    app = application(engine, ABOUT)
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    with monkeypatch.context() as patched:
        patched.setattr(captioner, "_find", fail)
        answer = client.post("/v1/caption", **as_form(photos[0]))
    assert "concern" not in refused(answer, 500, "internal")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.post("/v1/caption", **as_form(photos[0])).is_success


def test_a_broken_image_has_no_path_in_its_message(client):
    assert "/" not in refused(client.post("/v1/caption", **as_form(BROKEN)), 422, "bad_image")
