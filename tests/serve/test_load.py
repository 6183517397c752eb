"""More than the server can do: what waits, what is refused, and what is given up."""

import asyncio
import base64
import json
import os
import sys
import threading

import pytest
from asking import ABOUT, as_form, as_json, at_once, png
from raw import END, GONE, Raw
from tiny_run import photographs

from jaxcap.serve.app import application
from jaxcap.serve.programs import WAITING

HEAD = b'--xx\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
KIND = "multipart/form-data; boundary=xx"


def form(image):
    return HEAD + image + b"\r\n--xx--\r\n"


def number(engine, name):
    return engine.metrics.registry.get_sample_value(name)


def code(body):
    return json.loads(body)["error"]["code"]


async def until(true):
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


def test_a_full_queue(make_engine, photos, gate):
    engine = make_engine(queue=3)
    held, app = gate(), application(engine, ABOUT)
    status = []

    async def first(client):
        return (await client.post("/v1/caption", **as_form(*photos[:3]))).status_code

    async def second(client):
        await until(lambda: number(engine, "jaxcap_queue_images") == 3)
        answer = await client.post("/v1/caption", **as_form(photos[3]))
        status.append(number(engine, "jaxcap_queue_images"))
        held.opened.set()
        return answer

    done, answer = at_once(app, first, second)
    assert done == 200
    assert status == [3]
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "busy")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert number(engine, "jaxcap_queue_images") == 0
    (again,) = at_once(app, lambda client: client.post("/v1/caption", **as_form(photos[3])))
    assert again.status_code == 200


def test_more_images_than_the_queue_has_places(make_engine, photos):
    app = application(make_engine(queue=2), ABOUT)
    (answer,) = at_once(app, lambda client: client.post("/v1/caption", **as_form(*photos[:3])))
    assert answer.status_code == 429


def test_a_client_that_goes_away_frees_its_place(engine, photos, gate):
    """Its image is never worked on."""
    held, app = gate(), application(engine, ABOUT)

    async def scene():
        stays, leaves = Raw(app, KIND), Raw(app, KIND)
        stays.send(form(photos[0]), END)
        staying = asyncio.create_task(stays.answer())
        await until(held.reached.is_set)
        leaves.send(form(photos[1]), END)
        leaving = asyncio.create_task(leaves.answer())
        await until(lambda: number(engine, "jaxcap_queue_images") == 2)
        leaves.send(GONE)
        await until(lambda: number(engine, "jaxcap_queue_images") == 1)
        assert (await leaving)[0] == 499
        held.opened.set()
        return (await staying)[0]

    assert asyncio.run(scene()) == 200
    assert engine.close(10)
    assert number(engine, "jaxcap_batch_images_sum") == 1


def test_a_client_that_goes_away_while_it_sends(engine, photos):
    async def scene():
        leaves = Raw(application(engine, ABOUT), KIND)
        leaves.send(form(photos[0])[:100], GONE)
        return (await leaves.answer())[0]

    assert asyncio.run(scene()) == 499


def test_no_answer_in_time(make_engine, photos, gate):
    engine = make_engine(seconds=0.3)
    held, app = gate(), application(engine, ABOUT)
    (answer,) = at_once(app, lambda client: client.post("/v1/caption", **as_form(photos[0])))
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
    assert number(engine, "jaxcap_queue_images") == 0
    held.opened.set()


def test_a_client_that_sends_too_slowly(make_engine):
    async def scene():
        slow = Raw(application(make_engine(seconds=0.3), ABOUT), KIND)
        slow.send(HEAD)
        return await slow.answer()

    status, body = asyncio.run(scene())
    assert (status, code(body)) == (504, "timeout")


@pytest.mark.parametrize("kind", [KIND, "application/json"], ids=["form", "json"])
def test_a_body_over_the_limit_is_cut_off(make_engine, kind):
    """Chunks without an end, and as many as fit are taken."""
    engine = make_engine(body_bytes=100_000)

    async def scene():
        endless = Raw(application(engine, ABOUT), kind)
        endless.send(HEAD, *[b"0" * 10_000] * 50)
        return endless, await endless.answer()

    endless, (status, body) = asyncio.run(scene())
    assert (status, code(body)) == (413, "too_large")
    assert endless.asked <= 11
    assert (b"connection", b"close") in endless.sent[0]["headers"]


def test_a_body_that_tells_that_it_is_too_large_is_not_read(engine):
    async def scene():
        large = Raw(application(engine, ABOUT), KIND, [(b"content-length", b"999999999")])
        return large, await large.answer()

    large, (status, body) = asyncio.run(scene())
    assert (status, code(body)) == (413, "too_large")
    assert large.asked == 0


def test_all_bodies_together_are_bounded(make_engine, photos):
    engine = make_engine(held_bytes=40_000)
    app, image = application(engine, ABOUT), photos[0]

    async def scene():
        slow, other = Raw(app, KIND), Raw(app, KIND)
        slow.send(HEAD + b"0" * 30_000)
        sending = asyncio.create_task(slow.answer())
        await until(lambda: slow.asked == 2)
        other.send(HEAD + b"0" * 20_000, END)
        refused = await other.answer()
        slow.send(b"\r\n--xx--\r\n", END)
        await sending
        later = Raw(app, KIND)
        later.send(HEAD + image, b"\r\n--xx--\r\n", b" " * 30_000, END)
        return refused, await later.answer()

    (status, body), (later, _) = asyncio.run(scene())
    assert (status, code(body)) == (429, "busy")
    assert later == 200


def test_json_is_parsed_beside_the_loop(engine, photos, monkeypatch):
    """Which has other requests to answer."""
    threads = []

    def heard(call):
        def hear(*args, **named):
            threads.append(threading.current_thread())
            return call(*args, **named)

        return hear

    monkeypatch.setattr("json.loads", heard(json.loads))
    monkeypatch.setattr("base64.b64decode", heard(base64.b64decode))
    app, asked = application(engine, ABOUT), as_json(*photos[:2])
    (answer,) = at_once(app, lambda client: client.post("/v1/caption", **asked))
    assert len(threads) == 3
    assert threading.current_thread() not in threads  # where the loop runs
    assert answer.status_code == 200


WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
opened: list = []
watching = False


def _hear(event, args):
    if watching and event == "open" and args[2] & WRITES:
        opened.append(args[0])


def test_nothing_is_written_to_a_disk(client, tmp_path):
    """Whatever opens a file to write tells of it, be it Python or a library."""
    global watching
    sys.addaudithook(_hear)  # for as long as the process lives
    watching = True
    (tmp_path / "heard").write_text("")
    large = png(photographs(1)[0].repeat(40, 0).repeat(40, 1))
    large += b"0" * 3_000_000
    answer = client.post("/v1/caption", **as_form(large, large))
    watching = False
    assert answer.status_code == 200
    assert [str(name) for name in opened] == [str(tmp_path / "heard")]


def test_other_settings_are_prepared_while_others_go_on(engine, captioner, photos, monkeypatch):
    """And only so many at once."""
    find, go = captioner._find, threading.Event()

    def slow(shown, prompt, search, start):
        if search.beams > 5:
            assert go.wait(60)
        return find(shown, prompt, search, start)

    monkeypatch.setattr(captioner, "_find", slow)
    app = application(engine, ABOUT)

    def asking(**settings):
        async def ask(client):
            answer = await client.post("/v1/caption", **as_form(photos[0], **settings))
            return answer.status_code, answer.json()

        return ask

    rare = [{"beams": 6, "length_penalty": step / 10} for step in range(WAITING)]
    another = {"beams": 6, "length_penalty": 2}

    async def usual(client):
        found = engine.asked(another)
        await until(lambda: not engine._worker.takes(found))
        usual, refused = await asking()(client), await asking(**another)(client)
        go.set()
        return usual, refused

    *prepared, ((status, _), (refused, body)) = at_once(app, *(asking(**r) for r in rare), usual)
    assert status == 200
    assert (refused, body["error"]["code"]) == (429, "busy")
    assert [status for status, _ in prepared] == [200] * WAITING
    assert at_once(app, asking(**another))[0][0] == 200


def test_a_warm_up_that_fails_is_told(make_engine, captioner, monkeypatch):
    def fail(*args):
        raise MemoryError("of the device")

    monkeypatch.setattr(captioner, "_find", fail)
    engine = make_engine(warm=False)
    engine.warm_up()
    assert isinstance(engine.failure, MemoryError)
    assert engine.state == "warming_up"
