"""What is answered is what the captioner says, whoever else asks, and however it is asked."""

import io

import numpy as np
import pytest
from asking import ABOUT, BROKEN, as_form, as_json, at_once
from PIL import Image

from jaxcap.decode.search import diverse
from jaxcap.serve.app import application
from jaxcap.serve.looks import looks


def captions(answer, place=0):
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][place]["captions"]


def same(told, found):
    """Whether the captions of an answer are those that the captioner found."""
    assert [each["text"] for each in told] == [caption.text for caption in found]
    scores = [caption.score for caption in found]
    assert [each["score"] for each in told] == pytest.approx(scores, abs=1e-4)
    return True


@pytest.mark.parametrize("send", [as_form, as_json])
def test_a_photograph_is_captioned(client, captioner, photos, send):
    (found,) = captioner(photos[:1])
    assert same(captions(client.post("/v1/caption", **send(photos[0]))), found)


def test_each_of_many_clients_gets_its_own(engine, captioner, photos):
    """Batches hold images of several clients, of requests of one image and of three."""
    expected = captioner(photos)
    app = application(engine, ABOUT)
    groups = [[i] for i in range(12)] + [[i, i + 1, i + 2] for i in range(12, 24, 3)]

    def asking(group):
        async def ask(client):
            return await client.post("/v1/caption", **as_form(*(photos[i] for i in group)))

        return ask

    answers = at_once(app, *map(asking, groups * 3))
    for group, answer in zip(groups * 3, answers, strict=True):
        for place, i in enumerate(group):
            assert same(captions(answer, place), expected[i])
    sizes = {s.labels["le"]: s.value for s in bucket(engine, "jaxcap_batch_images")}
    assert sizes["+Inf"] > sizes["4.0"]  # some batches were large


def bucket(engine, name):
    families = {family.name: family for family in engine.metrics.registry.collect()}
    return [s for s in families[name].samples if s.name == f"{name}_bucket"]


def test_nothing_is_compiled_once_it_is_warm(engine, captioner, photos, compilations):
    app = application(engine, ABOUT)

    def asking(number):
        async def ask(client):
            some = photos[number : number + 1 + number % 5]
            explain = number % 3 == 0
            answer = await client.post("/v1/caption", **as_form(*some, explain=explain))
            texts = ["a red circle"] * (1 + number)
            score = await client.post(
                "/v1/score", files={"image": photos[number]}, data={"text": texts}
            )
            return answer.status_code, score.status_code

        return ask

    before = compilations()
    assert set(at_once(app, *map(asking, range(16)))) == {(200, 200)}
    assert compilations() == before
    at_once(app, lambda client: client.post("/v1/caption", **as_form(photos[0], beams=7)))
    assert compilations() > before


def test_a_bad_image_fails_alone(client, captioner, photos):
    answer = client.post("/v1/caption", **as_form(photos[0], BROKEN, photos[1]))
    first, second = captioner(photos[:2])
    assert same(captions(answer, 0), first)
    assert same(captions(answer, 2), second)
    error = answer.json()["results"][1]["error"]
    assert error["code"] == "bad_image"
    assert error["message"].startswith("The image is no image of a known format (JPEG, PNG")


def test_bad_images_alone(client):
    one = client.post("/v1/caption", **as_form(BROKEN))
    assert (one.status_code, one.json()["error"]["code"]) == (422, "bad_image")
    two = client.post("/v1/caption", **as_form(BROKEN, b""))
    assert two.status_code == 200
    assert [each["error"]["code"] for each in two.json()["results"]] == ["bad_image"] * 2


@pytest.mark.parametrize("send", [as_form, as_json])
@pytest.mark.parametrize(
    ("settings", "found_by"),
    [
        ({"beams": 3, "num": 2}, {"beams": 3, "num": 2}),
        ({"num": 3}, {"num": 3}),
        ({"beams": 2, "length_penalty": -1.5}, {"beams": 2, "length_penalty": -1.5}),
        ({"min_words": 2, "max_words": 3}, {"min_words": 2, "max_words": 3}),
        ({"prefix": "a red"}, {"prompt": "a red"}),
        ({"num": 2, "diverse": True}, {"num": 2, **diverse(2)}),
    ],
    ids=["beams", "num", "length-penalty", "words", "prefix", "diverse"],
)
def test_settings(client, captioner, photos, send, settings, found_by):
    """Those of the API are those of the captioner."""
    answer = client.post("/v1/caption", **send(*photos[:2], **settings))
    for place, found in enumerate(captioner(photos[:2], **found_by)):
        assert same(captions(answer, place), found)


def test_captions_that_are_drawn(client, captioner, photos):
    """They differ, and yet depend on nothing but the images of their request and the settings."""
    drawn = {"num": 3, "sample": True, "beams": 3, "temperature": 1.5}
    expected = captioner(photos[:5], **drawn)
    asked = as_form(*photos[:5], num=3, temperature=1.5)
    for _ in range(2):
        answer = client.post("/v1/caption", **asked)
        for place, found in enumerate(expected):
            assert same(captions(answer, place), found)
    assert len({caption.text for found in expected for caption in found}) > 5


def test_settings_that_are_null_are_the_usual_ones(client, captioner, photos):
    nothing = dict.fromkeys(("beams", "num", "max_words", "prefix", "explain"))
    answer = client.post("/v1/caption", **as_json(photos[0], **nothing))
    assert same(captions(answer), captioner(photos[:1])[0])


def test_maps_of_the_words(client, captioner, photos):
    answer = client.post("/v1/caption", **as_form(photos[0], explain="true"))
    (result,) = answer.json()["results"]
    (best,) = captioner(photos[:1])[0]
    words = list(zip(best.tokens, best.logprobs, strict=True))
    assert [each["word"] for each in result["words"]] == [w for w, _ in words if w != "<eos>"]
    for told, (_, logprob) in zip(result["words"], words, strict=False):
        assert told["logprob"] == pytest.approx(logprob, abs=1e-4)
    maps = np.array([each["map"] for each in result["words"]])
    assert maps.shape == (len(result["words"]), 24, 24)
    assert maps.min() >= 0
    assert (maps.max(axis=(1, 2)) == 255).all()
    explanation = captioner.explain(photos[0], best)
    painted = explanation.on_image(explanation.weights(), 24, 24)[: len(maps)]
    np.testing.assert_allclose(
        maps / 255, painted / painted.max(axis=(1, 2), keepdims=True), atol=0.01
    )
    assert result["shown"] == [0, 0, 1, 1]  # the tiny captioner is shown squeezed photographs
    assert "words" not in client.post("/v1/caption", **as_form(photos[0])).json()["results"][0]


def test_maps_cover_what_was_shown(captioner, monkeypatch):
    """Of a photograph that lies on its side the head tells other sides than it has upright."""
    monkeypatch.setitem(captioner.config.data, "fit", "short")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (40, 80)).save(file, "JPEG", exif=exif)
    (caption,) = captioner([file.getvalue()])[0]
    assert looks(captioner, file.getvalue(), caption)["shown"] == [0.25, 0, 0.75, 1]


@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
def test_scores_are_those_of_the_captioner(client, captioner, photos, form):
    texts = [f"a {colour} {shape}" for colour in ("red", "blue") for shape in ("circle", "square")]
    texts = (texts * 5)[:18]  # more than one pass has
    if form:
        sent = {"files": {"image": photos[3]}, "data": {"text": texts}}
    else:
        sent = as_json(photos[3])
        sent["json"] = {"image": sent["json"]["images"][0], "texts": texts}
    answer = client.post("/v1/score", **sent)
    assert answer.status_code == 200, answer.text
    expected = captioner.logp(photos[3], texts)
    assert answer.json()["logprobs"] == pytest.approx(expected, abs=1e-4)


def test_an_image_that_cannot_be_scored(client, photos):
    answer = client.post("/v1/score", files={"image": BROKEN}, data={"text": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_image")
    answer = client.post("/v1/score", files={"image": photos[0]}, data={"text": "a " * 40})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_setting")


def test_info(client, captioner, photos):
    told = client.get("/v1/info").json()
    assert (told["name"], told["parameters"], told["license"]) == ("tiny", 3, "CC0-1.0")
    assert told["step"] == captioner.step
    assert told["looks"] is True
    assert told["architecture"] == "vit + transformer"
    assert told["vocabulary"] == captioner.tokenizer.vocab_size
    answer = client.post("/v1/caption", **as_json(photos[0], **told["defaults"]))
    assert same(captions(answer), captioner(photos[:1])[0])
