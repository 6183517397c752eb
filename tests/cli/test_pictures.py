"""What the words of the command line stand for."""

import http.server
import io
import threading
from functools import partial

import numpy as np
import pytest
from PIL import Image

from jaxcap.cli import web
from jaxcap.cli.pictures import Picture, pictures_of
from jaxcap.cli.runs import run_and_rest
from jaxcap.data.image import ImageError
from jaxcap.errors import UserError

RED = Image.new("RGB", (6, 4), "red")


def names_of(*words):
    return [picture.name for picture in pictures_of(list(map(str, words)), allow_url=True)]


def test_a_folder_is_its_images_or_else_its_features(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.npz", "deep/a.npz", "notes.txt"):
        (tmp_path / name).touch()
    assert names_of(tmp_path) == [str(tmp_path / "b.npz"), str(tmp_path / "deep" / "a.npz")]
    (tmp_path / "deep" / "c.JPG").touch()
    assert names_of(tmp_path) == [str(tmp_path / "deep" / "c.JPG")]
    assert names_of(tmp_path / "none.jpg") == [str(tmp_path / "none.jpg")]


def test_a_pattern_is_the_files_that_are_named_like_it(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.jpg", "a.jpg", "c.png", "deep/d.jpg", "e[1].jpg"):
        (tmp_path / name).touch()
    assert names_of(tmp_path / "?.jpg") == [str(tmp_path / name) for name in ("a.jpg", "b.jpg")]
    deep = names_of(tmp_path / "**" / "*.jpg")
    assert [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "deep/d.jpg", "e[1].jpg")] == deep
    assert names_of(tmp_path / "e[1].jpg") == [str(tmp_path / "e[1].jpg")]  # a file's own name
    with pytest.raises(UserError, match=r"No file is named like .*z\*\.jpg"):
        names_of(tmp_path / "z*.jpg")


def test_addresses_are_fetched_only_for_those_who_ask():
    with pytest.raises(UserError, match="Add --allow-url"):
        pictures_of(["https://example.org/a.jpg"], allow_url=False)
    (picture,) = pictures_of(["https://example.org/a.jpg?size=2"], allow_url=True)
    assert picture.file is None
    with pytest.raises(UserError, match="name - once"):
        pictures_of(["-", "-"], allow_url=False)


class Pages(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, and ways that lead elsewhere."""

    def do_GET(self):
        leads = {"/moved": "/red.png", "/out": "file:///etc/passwd", "/ftp": "ftp://localhost/x"}
        if self.path in leads:
            self.send_response(302)
            self.send_header("Location", leads[self.path])
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    RED.save(folder / "red.png")
    handler = partial(Pages, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["red.png", "moved"])
def test_an_address_is_the_bytes_behind_it(site, page):
    data = Picture(f"{site}/{page}").photo()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(RED))


@pytest.mark.parametrize("page", ["none.png", "out", "ftp"])
def test_an_address_that_leads_nowhere_is_an_error_of_its_own(site, page):
    with pytest.raises(ImageError, match=f"{page} cannot be fetched: "):
        Picture(f"{site}/{page}").photo()


def test_what_is_too_large_is_not_fetched_to_its_end(site, monkeypatch):
    monkeypatch.setattr(web, "MAX_BYTES", 10)
    with pytest.raises(ImageError, match="has more than 0 MiB"):
        Picture(f"{site}/red.png").photo()


def test_the_first_word_is_a_run_or_the_first_photograph(tmp_path):
    run, photo = tmp_path / "run", tmp_path / "photo"
    run.mkdir()
    (run / "config.json").touch()
    photo.touch()
    assert run_and_rest([str(run), "a.jpg"]) == (run, ["a.jpg"])
    boxed, words = run_and_rest([str(photo), str(run)])
    assert (boxed / "config.json").is_file()
    assert words == [str(photo), str(run)]
    for word in ("-", "none.jpg", "*", "https://example.org/a"):
        assert run_and_rest([word]) == (boxed, [word])
    assert run_and_rest([]) == (boxed, [])
    with pytest.raises(UserError, match=r"typo is not a run directory .* nor is there a photo"):
        run_and_rest(["typo", "a.jpg"])
