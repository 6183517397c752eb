"""`jaxcap serve`."""

from pathlib import Path
from typing import Annotated

import typer

from jaxcap.boxed import BOXED


def serve(
    run: Annotated[
        Path, typer.Argument(metavar="[RUN]", help="Default: the captioner in the box.")
    ] = BOXED,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 is all of this machine's.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any free one.")] = 8000,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="By which the server, or a proxy before it, is called; other names than these and "
            "this machine's own are refused. Repeat it for several."
        ),
    ] = None,
    max_batch: Annotated[
        int, typer.Option(min=1, max=16, help="Images that are captioned together.")
    ] = 16,
    wait_ms: Annotated[
        float, typer.Option(min=0, max=1000, help="That an image waits for others.")
    ] = 10,
    max_images: Annotated[int, typer.Option(min=1, help="Of a request.")] = 16,
    max_bytes: Annotated[int, typer.Option(min=1, help="Of an image's file.")] = 10 * 2**20,
    max_pixels: Annotated[
        int, typer.Option(min=1, max=80_000_000, help="Of an image.")
    ] = 80_000_000,
    queue: Annotated[int, typer.Option(min=1, help="Images of all requests together.")] = 256,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for a request.")] = 60,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="JAXCAP_TOKEN",
            help="That clients must send. Better in the environment, where no list of processes "
            "shows it.",
        ),
    ] = None,
) -> None:
    """Serve a captioner: a web page, and an API over HTTP that its page /docs describes.

    \b
    jaxcap serve                               at http://127.0.0.1:8000, for this machine alone
    jaxcap serve runs/mine --port 0            a run of your own; the address is printed
    JAXCAP_TOKEN=x jaxcap serve --host 0.0.0.0 for whoever sends the token x
    curl -F image=@photo.jpg -F num=3 http://127.0.0.1:8000/v1/caption

    Nothing that is sent is stored or logged. On SIGTERM the server takes no more requests, answers
    those that it has, each within its --timeout, and ends.
    """  # noqa: D301
    from jaxcap.serve.limits import Limits
    from jaxcap.serve.run import serve as run_server  # jax takes seconds to import

    limits = Limits(
        images=min(max_images, queue),  # more could never be let in
        file_bytes=max_bytes,
        pixels=max_pixels,
        body_bytes=max(Limits.body_bytes, 2 * max_bytes),
        held_bytes=max(Limits.held_bytes, 8 * max_bytes),
        queue=queue,
        seconds=timeout,
    )
    run_server(
        run,
        host=host,
        port=port,
        size=max_batch,
        wait=wait_ms / 1000,
        limits=limits,
        token=token or None,
        names=name or (),
    )
