"""Captions a second over HTTP, beside `Captioner` on the same images without a server.

python benchmarks/serve.py RUN IMAGES [--requests 10000] [--clients 64] [--rounds 10] [--out DIR]

IMAGES is a folder. The server is a process of its own on the same machine, and so are its clients,
each of which sends one image after the other. Both sides take turns; both decode with as many
threads, overlapping with batches of 16, and read from memory. Every caption is compared with the
one that was found without the server.
"""

import argparse
import http.client
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
from jaxcap.cli.pictures import images_in
from jaxcap.serve.engine import READERS

BOUNDARY = "jaxcap-benchmark"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass
class Seen:
    """What the clients saw together.

    Attributes:
      seconds: that each answer took.
      lost: numbers of requests without an answer of status 200.
      other: numbers of answers with another caption than the expected one.
    """

    seconds: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    other: list[int] = field(default_factory=list)


def offline(captioner: Captioner, images: list[bytes]) -> tuple[list[list[str]], float]:
    """The caption of each image, and the seconds of all of them."""
    with ThreadPoolExecutor(READERS) as readers:
        begin = time.perf_counter()
        found = captioner.of_shown(readers.map(captioner.shown, images))
        seconds = time.perf_counter() - begin
    return [[caption.text for caption in captions] for captions in found], seconds


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
    host: str, port: int, bodies: list[bytes], expected: list[list[str]], numbers: Any, seen: Seen
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
            seen.lost.append(number)
            continue
        seen.seconds.append(time.perf_counter() - begin)
        if answer.status != 200:
            seen.lost.append(number)
        elif [each["text"] for each in told["results"][0]["captions"]] != expected[place]:
            seen.other.append(number)
    connection.close()


def served(host: str, port: int, clients: int, *work: Any) -> float:
    """Seconds that all clients together need for some requests; `work` is as `ask` has it."""
    threads = [threading.Thread(target=ask, args=(host, port, *work)) for _ in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin


def main() -> None:
    """Print what was measured, and write serve.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--most", type=int, default=256, help="Images, sent again and again.")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    images = [file.read_bytes() for file in images_in(args.images)[: args.most]]
    bodies = [form(image) for image in images]
    captioner = Captioner.load(args.run)
    captioner.of_shown([captioner.shown(images[0])] * BATCHES[-1])  # compiles
    server, host, port = started(args.run)
    seen, rates, held = Seen(), [], [memory(host, port)]
    for number in range(args.rounds):
        expected, alone = offline(captioner, images)  # the server rests
        first, last = (args.requests * each // args.rounds for each in (number, number + 1))
        work = bodies, expected, iter(range(first, last)), seen
        rates.append(
            (len(images) / alone, (last - first) / served(host, port, args.clients, *work))
        )
        held.append(memory(host, port))
    server.terminate()
    code = server.wait(60)
    ratios = [with_server / alone for alone, with_server in rates]
    middle, late = np.percentile(seen.seconds, (50, 99))
    alone, with_server = np.median(rates, axis=0)
    print(
        f"without a server {alone:.2f} images/s, with {with_server:.2f} to {args.clients} clients"
    )
    print(f"ratio {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"latency: half within {middle:.2f} s, 99% within {late:.2f} s")
    print(f"lost {len(seen.lost)} of {args.requests}; other captions {len(seen.other)}")
    print(f"memory {', '.join(f'{each / 2**20:,.0f}' for each in held)} MiB; exit code {code}")
    told = {
        "rates": rates,
        "ratio": float(np.median(ratios)),
        "clients": args.clients,
        "requests": args.requests,
        "p50": middle,
        "p99": late,
        "lost": len(seen.lost),
        "other": len(seen.other),
        "memory": held,
    }
    write("serve", told, args.out)


if __name__ == "__main__":
    main()
