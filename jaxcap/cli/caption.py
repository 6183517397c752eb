"""`jaxcap caption`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from jaxcap.cli.bulk import caption_input
from jaxcap.cli.files import boxes_of, check_tables, drawings_of
from jaxcap.cli.options import AsJson, Beams, MaxLength, named
from jaxcap.cli.pictures import Picture, pictures_of
from jaxcap.cli.runs import run_and_rest
from jaxcap.cli.sidecars import Sidecars
from jaxcap.cli.told import outputs
from jaxcap.errors import UserError
from jaxcap.progress import bar

SEARCH = {"beams", "min_words", "max_words", "max_length"}
OF_INPUT = {"output", "part", "split", "batch_size", "workers"}


def caption(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] PHOTO...",
            help="What training wrote (without it the captioner in the box captions); then files, "
            "folders, patterns, addresses or - for the standard input.",
        ),
    ] = None,
    num: Annotated[int, typer.Option(min=1, help="Captions of an image.")] = 1,
    is_diverse: Annotated[
        bool, typer.Option("--diverse", help="Of --num: that say different things.")
    ] = False,
    prefix: Annotated[str, typer.Option(help='What they begin with: "a photo of".')] = "",
    beams: Beams = None,
    min_words: Annotated[int | None, typer.Option(min=0, help="The prefix counts.")] = None,
    max_words: Annotated[int | None, typer.Option(min=1, help="The prefix counts.")] = None,
    max_length: MaxLength = None,
    confidence: Annotated[
        bool,
        typer.Option(
            "--confidence",
            help="Each word's probability, and what of its log-probability is the image's doing.",
        ),
    ] = False,
    sidecar: Annotated[
        Literal["txt", "json", "xmp"] | None,
        typer.Option("--write-sidecar", help="Files beside the photographs."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Sidecars, tables and lines that are there are replaced."),
    ] = False,
    table: Annotated[Path | None, typer.Option("--csv", help="image,caption,score,error")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="What --json prints, in a file.")] = None,
    as_json: AsJson = False,
    allow_url: Annotated[
        bool, typer.Option("--allow-url", help="Fetch photographs that are http(s) addresses.")
    ] = False,
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
) -> None:
    """Caption photographs; or, from --input to --output, millions of them.

    \b
    jaxcap caption photo.jpg --num 3 --diverse    three that say different things
    jaxcap caption holiday/ --write-sidecar txt   photo.txt beside each photo.jpg
    jaxcap caption runs/mine '*.jpg' --csv c.csv  a run of your own, and a table
    jaxcap caption - --prefix "a photo of"        the standard input

    An unreadable one is reported, and the others go on; the exit code is then 1. A photograph that
    has a sidecar is left alone, so that a run that was cut short goes on where it was.
    """  # noqa: D301
    run, names = run_and_rest(words or ())
    search = {"beams": beams, "max_len": max_length, "min_words": min_words, "max_words": max_words}
    settings = {name: value for name, value in search.items() if value is not None}
    if given is not None:
        if output is None or names or not named(context) <= {"words", "given"} | OF_INPUT | SEARCH:
            raise UserError(
                "--input is captioned to --output, and knows no other options than --part, "
                "--split, --batch-size, --workers, --beams, --min-words, --max-words and "
                "--max-length, and no PHOTO."
            )
        fields: dict[str, Any] = {f"search.{name}": value for name, value in settings.items()}
        fields |= {"eval.batch_size": batch_size, "data.workers": workers}
        return caption_input(run, given, output, part=part, split=split, settings=fields)
    _check(named(context), names, num)

    pictures = pictures_of(names, allow_url)
    groups: list[tuple[Picture, ...]] = [(picture,) for picture in pictures]
    if together:
        groups = [tuple(pictures)]
    check_tables(groups, overwrite, csv=table, jsonl=jsonl)
    beside = None if sidecar is None else Sidecars(sidecar, pictures)
    if beside is not None and not overwrite:
        groups = _without_sidecar(groups, beside, in_a_table=bool(table or jsonl))
    regions = None if boxes is None else boxes_of(boxes, groups)
    looks, alike = drawings_of(groups, explain=explain, similarity=similarity)

    from jaxcap.captioner import Captioner  # jax takes seconds to import
    from jaxcap.cli.inference import Asked, Record, told_of
    from jaxcap.decode.search import diverse

    def at(rows: Sequence[Any] | None, place: int) -> Any:
        return rows[place] if rows else None

    records = [
        Record(group, at(regions, i), at(looks, i), at(alike, i)) for i, group in enumerate(groups)
    ]
    if is_diverse:
        settings = {**diverse(num), **settings}
    asked = Asked(num, prefix, settings, confidence, explain_layer, explain_head)
    captioner, failed = Captioner.load(run), False
    to_files = bool(jsonl or table or beside)
    with (
        outputs(jsonl, table, beside, as_json) as places,
        bar("photographs", len(records), shown=to_files) as advance,
    ):
        for told in told_of(captioner, records, asked):
            for place in places:
                place.tell(told)
            failed |= bool(told.error)
            advance(1)
    raise typer.Exit(1 if failed else 0)


def _check(asked: set[str], names: Sequence[str], num: int) -> None:
    """Refuse options that mean nothing without others, or beside them."""
    if not names or asked & OF_INPUT:
        raise UserError(
            "Name photographs or folders to caption; or --input and --output, to which --part, "
            "--split, --batch-size and --workers belong."
        )
    if asked & {"explain_layer", "explain_head"} and "explain" not in asked:
        raise UserError("--explain-layer and --explain-head are of a drawing: add --explain PNG.")
    if "is_diverse" in asked and num < 2:
        raise UserError("--diverse is of several captions: add --num 3.")
    to_files = asked & {"jsonl", "table", "sidecar"}
    if "as_json" in asked and to_files:
        raise UserError("--json prints, and --jsonl, --csv and --write-sidecar write files.")
    if "overwrite" in asked and not to_files:
        raise UserError("--overwrite is of --write-sidecar, --csv and --jsonl.")


def _without_sidecar(
    groups: Sequence[tuple[Picture, ...]], beside: Sidecars, in_a_table: bool
) -> list[tuple[Picture, ...]]:
    """Those that have none yet; how many have one is told."""
    left = [group for group in groups if not beside.has(group[0])]
    if len(left) < len(groups):
        there = f"{len(groups) - len(left)} of {len(groups)} have a .{beside.form} beside them"
        if in_a_table:
            raise UserError(
                f"{there} and would be left out of the table. Write one of the two, or add "
                "--overwrite."
            )
        typer.echo(f"{there} and are left alone (--overwrite writes them anew).", err=True)
    return left
