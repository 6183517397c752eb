"""A server, a browser, and a page that must keep to itself."""

import io
import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import FilePayload
from served import chromium, serving
from tiny_run import photographs

OWN = ("http://127.0.0.1:", "blob:http://127.0.0.1:")
REFUSED = ("/v1/caption", "/v1/info", "/readyz")  # whose refusals a browser writes to its console


@pytest.fixture(scope="session")
def talkative(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny captioner, but of captions that have words: three steps teach it none."""
    folder = tmp_path_factory.mktemp("talkative") / "run"
    shutil.copytree(tiny_run, folder)
    config = json.loads((folder / "config.json").read_text())
    config["search"] |= {"beams": 2, "min_words": 3}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def server(talkative):
    with serving(talkative) as address:
        yield address


# Playwright keeps an event loop in this thread, where no other can run: it ends with each file.
@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser, server):
    """Opens the page; in the end nothing may have left its origin or be wrong in the console."""
    contexts, requests, wrong = [], [], []

    def listen(message):
        url = message.location["url"]
        if message.type in ("error", "warning") and urlsplit(url).path not in REFUSED:
            wrong.append(f"{message.text} {url}")

    def visit(path="/", address=server, **looks):
        context = browser.new_context(base_url=address, **looks)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        context.on("request", lambda request: requests.append(request.url))
        context.on("console", listen)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        page.goto(path)
        return page

    yield visit
    for context in contexts:
        context.close()
    strangers = [url for url in requests if not url.startswith(OWN)]
    assert not strangers
    assert not wrong


@pytest.fixture
def photos() -> list[FilePayload]:
    """Two photographs as files."""
    files: list[FilePayload] = []
    for number, pixels in enumerate(photographs(2)):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files.append(
            {"name": f"photo{number}.png", "mimeType": "image/png", "buffer": file.getvalue()}
        )
    return files
