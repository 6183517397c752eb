"""`jaxcap score`."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxcap.cli.options import AsJson
from jaxcap.errors import UserError

if TYPE_CHECKING:
    from jaxcap.metrics.report import Report


def score(
    predictions: Annotated[Path, typer.Argument(help="In COCO's results format.")],
    references: Annotated[
        Path, typer.Argument(help="COCO annotations, or {image id: list of captions}.")
    ],
    against: Annotated[
        Path | None, typer.Option(help="Predictions of another system, to compare with.")
    ] = None,
    per_image: Annotated[
        Path | None, typer.Option("--csv", help="A file for the scores of each image.")
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=1, help="Corpora that are drawn to tell how sure scores are.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    meteor: Annotated[bool, typer.Option(help="METEOR too, where its data are.")] = True,
    spice: Annotated[bool, typer.Option(help="SPICE too, where Java and its parser are.")] = True,
    as_json: AsJson = False,
) -> None:
    """Score a file of predictions, whoever made it, and tell how sure the scores are.

    Each has an interval that holds 95% of the scores of corpora drawn from its images. With
    --against, the difference to another system comes with the share of random exchanges of captions
    between the two that differ as much. METEOR needs pip install pycocoevalcap, and takes as long
    as all others together; SPICE needs Java and Stanford CoreNLP besides, and 8 GB of memory.
    """
    from jaxcap.metrics.files import read_predictions, read_references
    from jaxcap.metrics.report import check_images, protocol_of
    from jaxcap.metrics.report import score as scored
    from jaxcap.metrics.significance import compared, intervals
    from jaxcap.progress import waiting
    from jaxcap.protocol import signature

    if per_image is not None and not per_image.absolute().parent.is_dir():
        raise UserError(f"There is no folder {per_image.absolute().parent} for {per_image.name}.")
    if per_image is not None and per_image.is_dir():
        raise UserError(f"--csv {per_image} is a folder; expected a file, such as scores.csv.")
    expected = read_references(references)

    def read(file: Path) -> dict[str, str]:
        said = read_predictions(file)
        try:
            check_images(said, expected)
        except UserError as error:
            raise UserError(f"{file}: {error}") from error
        return said

    said, others = read(predictions), None if against is None else read(against)
    also = [name for name, asked in (("METEOR", meteor), ("SPICE", spice)) if asked]
    compare = {}
    with waiting(f"Scoring {len(said):,} captions"):
        report = scored(said, expected, also)
        lacking = dict(report.lacking)
        if others is not None:
            other = scored(others, expected, also)
            for name, why in other.lacking.items():
                lacking.setdefault(name, f"for {against}: {why}")
            compare = {k: v._asdict() for k, v in compared(report, other, resamples, seed).items()}
        sure = intervals(report, resamples, seed)
    found = {
        "scores": report.corpus,
        "intervals": sure,
        "against": compare,
        "lacking": lacking,
        "signature": signature(
            references_file=references.name,
            images=len(said),
            references=sum(map(len, expected.values())),
            words="ptb",
            **protocol_of(report),
            resamples=resamples,
            seed=seed,
        ),
    }
    typer.echo(json.dumps(found) if as_json else _told(found))
    if per_image is not None:
        _write_csv(report, per_image)


def _told(found: dict) -> str:
    """A line for each score, and the signature."""
    lines = []
    for name, number in found["scores"].items():
        low, high = found["intervals"][name]
        line = f"{name:<8} {number:.4f}  {low:.4f} to {high:.4f}"
        if name in found["against"]:
            line += "  {difference:+.4f} (p {p:.3f})".format(**found["against"][name])
        lines.append(line)
    lines += [f"{name:<8} not computed ({why})" for name, why in found["lacking"].items()]
    return "\n".join([*lines, found["signature"]])


def _write_csv(report: "Report", file: Path) -> None:
    """A row for each image, written whole or not at all.

    Raises:
      UserError: the file cannot be written.
    """
    from jaxcap.atomic import write_text

    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["image_id", *report.names])
    for image, scores in report.per_image.items():
        writer.writerow([image, *(f"{number:.6f}" for number in scores.values())])
    try:
        write_text(file, rows.getvalue())
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error}") from error
