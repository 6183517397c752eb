"""What the server tells of itself: metrics, its description, its log."""

import logging

from asking import ABOUT, BROKEN, as_form, as_json
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from jaxcap.serve.app import STATIC, application
from jaxcap.serve.errors import STATUS


def metrics(client):
    """Of each sample its value, by name and labels."""
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    samples = [sample for family in families for sample in family.samples]
    return {(each.name, *sorted(each.labels.values())): each.value for each in samples}


def test_metrics_count(client, photos):
    before = metrics(client)
    assert before["jaxcap_compilations_total",] == 5
    for images in ([photos[0]], photos[:3], [photos[0], BROKEN], [BROKEN]):
        client.post("/v1/caption", **as_form(*images))
    client.post("/v1/score", files={"image": photos[0]}, data={"text": "a"})
    client.get("/v1/elsewhere")
    client.get("/static/elsewhere")
    found = metrics(client)
    assert found["jaxcap_requests_total", "/v1/caption", "200"] == 3
    assert found["jaxcap_requests_total", "/v1/caption", "422"] == 1
    assert found["jaxcap_requests_total", "/v1/score", "200"] == 1
    assert found["jaxcap_requests_total", "/static", "404"] == 1
    assert found["jaxcap_requests_total", "404", "other"] == 1
    assert found["jaxcap_requests_total", "/metrics", "200"] == 1
    assert found["jaxcap_images_total", "captioned"] == 5
    assert found["jaxcap_images_total", "bad"] == 2
    assert found["jaxcap_batch_images_sum",] == 5
    assert found["jaxcap_batch_images_count",] == 3
    assert found["jaxcap_request_seconds_count", "/v1/caption"] == 4
    assert found["jaxcap_queue_images",] == 0
    assert found["jaxcap_compilations_total",] == 5
    assert found["process_resident_memory_bytes",] > 2**20


def test_the_description_is_valid(client):
    document = client.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["paths"]) == {
        "/v1/caption",
        "/v1/score",
        "/v1/info",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    answers = {
        code
        for way in document["paths"].values()
        for op in way.values()
        for code in op["responses"]
    }
    assert {str(status) for status in STATUS.values()} - answers == {"404", "405"}


def described(client, path, method, status, answer):
    """Whether an answer is as the description says."""
    document = client.get("/openapi.json").json()
    response = document["paths"][path][method]["responses"][str(status)]
    schema = {
        **response["content"]["application/json"]["schema"],
        "components": document["components"],
    }
    assert answer.status_code == status
    Draft202012Validator(schema).validate(answer.json())
    return True


def test_answers_are_as_described(client, photos):
    asked = as_form(photos[0], BROKEN, explain=True)
    answer = client.post("/v1/caption", **asked)
    assert described(client, "/v1/caption", "post", 200, answer)
    assert described(client, "/v1/caption", "post", 400, client.post("/v1/caption", json={}))
    score = client.post("/v1/score", files={"image": photos[0]}, data={"text": ["a", "b"]})
    assert described(client, "/v1/score", "post", 200, score)
    for path in ("/v1/info", "/healthz", "/readyz"):
        assert described(client, path, "get", 200, client.get(path))


def test_settings_are_described(client, photos):
    """What the description allows of a setting is taken, and what lies beyond is not."""
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/caption"]["post"]["requestBody"]["content"]
    known = content["application/json"]["schema"]["properties"]
    assert set(known) - {"images"} == set(
        content["multipart/form-data"]["schema"]["properties"]
    ) - {"image"}
    usual = client.get("/v1/info").json()["defaults"]
    assert {name: each.get("default") for name, each in known.items() if name in usual} == usual
    bounded = {name: each for name, each in known.items() if "minimum" in each}
    assert set(bounded) >= {"beams", "num", "min_words", "max_words", "length_penalty"}
    for name, each in bounded.items():
        for bound, beyond in (("minimum", -1), ("maximum", 1)):
            value = each[bound] + beyond
            answer = client.post("/v1/caption", **as_json(photos[0], **{name: value}))
            assert answer.json()["error"]["message"].startswith(f"{name} is {value}; expected")


def test_the_log_has_no_more_than_routes(client, photos, caplog):
    with caplog.at_level(logging.INFO, "jaxcap.serve.watch"):
        client.post("/v1/caption?who=me", **as_form(photos[0], prefix="a red"))
        client.get("/secret%0Apath")
        client.request("HACK\u00e9".encode("latin-1").decode("latin-1"), "/v1/info")
    lines = [
        record.getMessage() for record in caplog.records if record.name == "jaxcap.serve.watch"
    ]
    assert [line.rsplit(" ", 2)[0] for line in lines] == [
        "POST /v1/caption 200",
        "GET other 404",
        "other /v1/info 405",
    ]


def test_the_page_is_served(engine):
    client = TestClient(application(engine, ABOUT, token="secret"))
    for path, file in (("/", "index.html"), ("/docs", "docs.html")):
        assert client.get(path).content == (STATIC / file).read_bytes()
    for file in STATIC.iterdir():
        assert client.get(f"/static/{file.name}").content == file.read_bytes()
    assert client.get("/static/none.js").json()["error"]["code"] == "not_found"
    assert client.get("/static/../routes.py").status_code == 404
    assert client.get("/static/%2e%2e/routes.py").status_code == 404
