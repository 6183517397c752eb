"""Captions a second over HTTP, beside `Captioner` on the same images without a server.

python benchmarks/serve.py RUN IMAGES [--requests 10000] [--clients 64] [--out DIR]

IMAGES is a folder. The server is a process of its own on the same machine, and so are its clients,
each of which sends one image after the other. Both sides decode with as many threads, overlapping
with batches of 16. Every caption is compared with the one that was found without the server.
"""

import argparse
import http.client
import itertools
import json
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from turns import write

from jaxcap.captioner import BATCHES, Captioner
from jaxcap.cli.files import images_of
from jaxcap.serve.engine import READERS

BOUNDARY = "jaxcap-benchmark"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
MANY = 1000  # requests between two looks at the server's memory


@dataclass
class Seen:
    """What the clients saw together.

    Attributes:
      seconds: that each answer took.
      lost: requests without an answer of status 200.
      other: answers with another caption than the expected one.
      memory: bytes that the server held, at first and after every `MANY` answers.
    """

    seconds: list[float] = field(default_factory=list)
    lost: int = 0
    other: int = 0
    memory: list[int] = field(default_factory=list)


def offline(captioner: Captioner, images: list[bytes]) -> tuple[list[str], float]:
    """The best caption of each image, and images a second."""
    with ThreadPoolExecutor(READERS) as readers:
        begin = time.perf_counter()
        found = captioner.of_shown(readers.map(captioner.shown, images))
        seconds = time.perf_counter() - begin
    return [captions[0].text if captions else "" for captions in found], len(images) / seconds


def form(image: bytes) -> bytes:
    """The body of a request."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="i"\r\n\r\n'
    return head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()


def started(run: Path) -> tuple[subprocess.Popen[str], str, int]:
    """A server that is ready: its process, and where it listens."""
    words = [sys.executable, "-m", "jaxcap.cli", "serve", str(run), "--port", "0"]
    server = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
    )
    assert server.stdout is not None
    place = re.search(r"http://([\d.]+):(\d+)", server.stdout.readline())
    if place is None:
        sys.exit(f"The server did not start (exit code {server.wait()}).")
    host, port = place[1], int(place[2])
    while get(host, port, "/readyz")[0] != 200:
        time.sleep(0.5)
    return server, host, port


def get(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and body of a page."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    status, body = answer.status, answer.read().decode()
    connection.close()
    return status, body


def memory(host: str, port: int) -> int:
    """Bytes that the server's process holds."""
    families = text_string_to_metric_families(get(host, port, "/metrics")[1])
    found = {sample.name: sample.value for family in families for sample in family.samples}
    return int(found["process_resident_memory_bytes"])


def ask(
    host: str, port: int, bodies: list[bytes], expected: list[str], numbers: Any, seen: Seen
) -> None:
    """One client: it takes the next number and sends that image, until there are none."""
    connection = http.client.HTTPConnection(host, port, timeout=120)
    for number in numbers:
        place, begin = number % len(bodies), time.perf_counter()
        try:
            connection.request("POST", "/v1/caption", bodies[place], HEADERS)
            answer = connection.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            seen.lost += 1
            continue
        seen.seconds.append(time.perf_counter() - begin)
        if answer.status != 200:
            seen.lost += 1
        else:
            captions = told["results"][0]["captions"]
            seen.other += (captions[0]["text"] if captions else "") != expected[place]
        if len(seen.seconds) % MANY == 0:
            seen.memory.append(memory(host, port))
    connection.close()


def main() -> None:
    """Print what was measured, and write serve.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--most", type=int, default=512, help="Images, sent again and again.")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    files = list(itertools.islice(images_of(args.images), args.most))
    images = [file.read_bytes() for file in files]
    captioner = Captioner.load(args.run)
    captioner.of_shown([captioner.shown(images[0])] * BATCHES[-1])  # compiles
    server, host, port = started(args.run)
    expected, before = offline(captioner, images)
    seen, numbers = Seen(memory=[memory(host, port)]), iter(range(args.requests))
    bodies = [form(image) for image in images]
    clients = [
        threading.Thread(target=ask, args=(host, port, bodies, expected, numbers, seen))
        for _ in range(args.clients)
    ]
    begin = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    rate = len(seen.seconds) / (time.perf_counter() - begin)
    seen.memory.append(memory(host, port))
    after = offline(captioner, images)[1]  # the server rests
    alone = (before + after) / 2
    print(f"without a server: {alone:.2f} images/s (before {before:.2f}, after {after:.2f})")
    server.terminate()
    code = server.wait(60)
    middle, late = np.percentile(seen.seconds, (50, 99))
    held = ", ".join(f"{each / 2**20:,.0f}" for each in seen.memory)
    print(f"with a server: {rate:.2f} images/s to {args.clients} clients, {rate / alone:.2f} of it")
    print(f"latency: {middle:.2f} s in the middle, {late:.2f} s of the 99th in a hundred")
    print(f"lost: {seen.lost} of {args.requests}; other captions: {seen.other}")
    print(f"memory: {held} MiB; exit code {code}")
    told = {
        "offline": alone,
        "served": rate,
        "clients": args.clients,
        "requests": args.requests,
        "p50": middle,
        "p99": late,
        "lost": seen.lost,
        "other": seen.other,
        "memory": seen.memory,
    }
    write("serve", told, args.out)


if __name__ == "__main__":
    main()
