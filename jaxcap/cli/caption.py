"""`jaxcap caption`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxcap.cli.bulk import caption_input
from jaxcap.cli.files import boxes_of, drawings_of, images_of, write_drawing
from jaxcap.cli.options import AsJson, Beams, MaxLength, RunDirectory
from jaxcap.errors import UserError

if TYPE_CHECKING:
    from jaxcap.captioner import Caption


def caption(
    run: RunDirectory,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Files or folders.")
    ] = None,
    given: Annotated[
        str | None,
        typer.Option("--input", help="Millions: a list of paths, an ArrayRecord glob, any source."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the captions of --input.")] = None,
    part: Annotated[
        str, typer.Option(help="Of --input, for this process, of how many: 0/1, 3/16.")
    ] = "0/1",
    split: Annotated[str, typer.Option(help="Of --input, if that has more than one.")] = "all",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Of --input, over all devices.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Of --input: processes that read.")] = 0,
    beams: Beams = None,
    num: Annotated[int, typer.Option(min=1, help="Captions of an image.")] = 1,
    max_length: MaxLength = None,
    prompt: Annotated[str, typer.Option(help="What every caption begins with.")] = "",
    together: Annotated[
        bool, typer.Option("--together", help="One caption of them all: before.jpg after.jpg.")
    ] = False,
    boxes: Annotated[
        Path | None,
        typer.Option(help="JSON: {file name: [[left, top, right, bottom], ...]}, in pixels."),
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="PNG of where the decoder looked; or a folder for them.")
    ] = None,
    explain_layer: Annotated[int | None, typer.Option(help="From 0. Default: mean of all.")] = None,
    explain_head: Annotated[int | None, typer.Option(help="From 0. Default: mean of all.")] = None,
    similarity: Annotated[
        Path | None, typer.Option(help="PNG of how alike its words are; or a folder for them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Caption photographs; or, from --input to --output, millions of them.

    An unreadable one is reported, and the others go on; the exit code is then 1.
    """
    of_drawings = (explain, explain_layer, explain_head, similarity)
    of_input = (output, batch_size, part != "0/1" or None, split != "all" or None, workers or None)
    if given is not None:
        here = (paths, prompt, together, boxes, as_json, num != 1)
        if output is None or any(here) or any(word is not None for word in of_drawings):
            raise UserError(
                "--input is captioned to --output, and knows no other options than --part, "
                "--split, --batch-size, --workers, --beams and --max-length, and no PATH."
            )
        settings = {
            "search.beams": beams,
            "search.max_len": max_length,
            "eval.batch_size": batch_size,
            "data.workers": workers,
        }
        return caption_input(run, given, output, part=part, split=split, settings=settings)
    if not paths or any(word is not None for word in of_input):
        raise UserError(
            "Name photographs or folders to caption; or --input and --output, to which --part, "
            "--split, --batch-size and --workers belong."
        )
    if explain is None and (explain_layer is not None or explain_head is not None):
        raise UserError("--explain-layer and --explain-head are of a drawing: add --explain PNG.")
    files = [file for path in paths for file in images_of(path)]
    records = [tuple(files)] if together else [(file,) for file in files]
    regions = None if boxes is None else boxes_of(boxes, records)
    looks, alike = drawings_of(records, explain=explain, similarity=similarity)

    from jaxcap.captioner import BATCHES, Captioner  # jax takes seconds to import
    from jaxcap.data.image import ImageError
    from jaxcap.explain_picture import draw_looks, draw_similarity

    captioner = Captioner.load(run)
    failed = False
    for start in range(0, len(records), BATCHES[-1]):
        batch = range(start, min(start + BATCHES[-1], len(records)))
        shown, errors = {}, {}
        for index in batch:
            try:
                shown[index] = captioner.shown(records[index], regions and regions[index])
            except ImageError as error:
                errors[index], failed = str(error), True
        search = {"beams": beams, "max_len": max_length}
        captions = captioner.of_shown(
            shown.values(),
            num=num,
            prompt=prompt,
            first=start,
            **{name: value for name, value in search.items() if value is not None},
        )
        found = dict(zip(shown, captions, strict=True))
        for index in batch:
            name = "+".join(map(str, records[index]))
            if index in errors:
                _print_error(name, errors[index], as_json)
                continue
            if looks or alike:
                best = next(iter(found[index]), None)
                explained = captioner.explain(records[index], best, regions and regions[index])
                if looks:
                    write_drawing(draw_looks(explained, explain_layer, explain_head), looks[index])
                if alike:
                    write_drawing(draw_similarity(explained), alike[index])
            _print_captions(name, found[index], as_json)
    raise typer.Exit(1 if failed else 0)


def _print_captions(name: str, captions: "list[Caption]", as_json: bool) -> None:
    if as_json:
        told = [
            {"text": c.text, "score": c.score, "tokens": c.tokens, "logprobs": c.logprobs}
            for c in captions
        ]
        typer.echo(json.dumps({"image": name, "captions": told}))
        return
    typer.echo(name)
    for each in captions:
        typer.echo(f"  {each.score:7.3f}  {each.text}")


def _print_error(name: str, sentence: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"image": name, "error": sentence}))
    else:
        typer.echo(f"jaxcap: {sentence}", err=True)
