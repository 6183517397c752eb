"""`jaxcap serve` in a process of its own, and a browser."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

expect.set_options(timeout=60_000)  # a machine may have much else to do
TESTS = Path(__file__).parents[1]
# The tiny captioner's encoder is of a size that only tests know.
PROGRAM = "import tiny_run; from jaxcap.cli import main; main()"


@contextmanager
def serving(run: Path, *options: str, program: str = PROGRAM) -> Iterator[str]:
    """The address of a server of a run, which ends with the context."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", str(run), "--port", "0", *options],
        cwd=TESTS,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = ""
        while not (address := re.search(r"http://[\w.]+:\d+", told)):
            line = process.stdout.readline()
            assert line, f"The server has ended: {told}"
            told += line
        while not _ready(address[0]):
            time.sleep(0.2)
        yield address[0]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _ready(address: str) -> bool:
    try:
        with urlopen(f"{address}/readyz") as answer:
            return answer.status == 200
    except HTTPError as error:  # which holds the connection open
        error.close()
        return False


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one that Playwright has fetched."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(found).exists():
            pytest.skip(
                "needs Chromium: apt-get install chromium, or python -m playwright install chromium"
            )
        alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses to be root otherwise
        browser = playwright.chromium.launch(executable_path=found, args=alone)
        yield browser
        browser.close()
