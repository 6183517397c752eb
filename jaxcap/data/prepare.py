"""`prepare`: any data source becomes a TFDS data set of small JPEGs, once, by many processes.

The folder can be read by anyone (`tfds.builder_from_directory`), and by jaxcap as `tfds:DIR`.
Beside the data lies report.json: what was left out, where it stood and why. An interrupted run is
taken up again by the same call; what it gives is, bit for bit, what an unbroken run would have.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jaxcap.data.image import JPEG_QUALITY
from jaxcap.data.prepare_state import REPORT, Plan, begin, end, finished_report, write_json
from jaxcap.data.prepared import dataset_name, shard_file, write_metadata
from jaxcap.data.record import Source
from jaxcap.data.shard import Shard, Written, read_note
from jaxcap.data.shard_pool import write_shards
from jaxcap.data.sources import open_source, source_splits
from jaxcap.data.sources.folder import Blemish, Folder, Item
from jaxcap.errors import UserError
from jaxcap.progress import bar

SHARD_RECORDS = 512


@dataclass(frozen=True)
class SplitReport:
    """A split as it came out: its images, those kept, and everything that was left out."""

    records: int
    kept: int
    blemishes: list[Blemish]


@dataclass(frozen=True)
class Summary:
    """What `prepare` made: the folder, the data set's name, and each split's report."""

    folder: Path
    name: str
    splits: dict[str, SplitReport]


@dataclass
class _Split:
    """A split at work."""

    source: Source
    shards: list[Shard]
    written: dict[Shard, Written] = field(default_factory=dict)

    def take_up(self) -> list[Shard]:
        """Reads the notes of the finished shards; returns the others."""
        notes = {shard: read_note(shard) for shard in self.shards}
        self.written = {shard: note for shard, note in notes.items() if note is not None}
        return [shard for shard, note in notes.items() if note is None]

    def report(self) -> SplitReport:
        found = [self.written[shard] for shard in self.shards if shard in self.written]
        before = self.source.blemishes if isinstance(self.source, Folder) else []
        blemishes = [*before, *(each for shard in found for each in shard.blemishes)]
        return SplitReport(len(self.source), sum(shard.kept for shard in found), blemishes)

    def sizes(self) -> tuple[list[int], int]:
        """The lengths of the shards, and the bytes of them all."""
        found = [self.written[shard] for shard in self.shards]
        return [shard.kept for shard in found], sum(shard.bytes for shard in found)


def prepare(
    source_spec: str,
    out_dir: str | Path,
    *,
    splits: Sequence[str] | None = None,
    short_side: int = 256,
    workers: int | None = None,
    max_bad_share: float = 0.01,
    progress: bool = True,
) -> Summary:
    """Writes the data set `source_spec` to `out_dir` as TFDS reads it, in ArrayRecord files.

    An image whose short side is longer than `short_side` is shrunk (bicubic) and encoded as JPEG
    (see `jaxcap.data.image.shrink_jpeg`); none is enlarged. The records keep their order. Images
    that are missing or corrupt, empty captions and repeated ids are left out and listed in
    report.json. A call that finds its own finished work does nothing.

    Args:
      source_spec: any data source (see jaxcap.data.sources).
      out_dir: a new or empty folder, or that of an interrupted run of the same call.
      splits: those to write; all by default.
      short_side: pixels.
      workers: processes; as many as there are cores by default, and with 0 this one does it all.
      max_bad_share: how many blemishes there may be for each image of a split.
      progress: whether to show a bar.

    Raises:
      UserError: a wrong source, a folder with other contents, or too many blemishes.
    """
    out = Path(out_dir).expanduser()
    sources = _open(source_spec, splits)
    first = next(iter(sources.values()))
    name = dataset_name(first.name)
    plan = _plan(source_spec, sources, short_side)
    if (report := finished_report(out, plan)) is not None:
        return Summary(out, name, {key: _read(each) for key, each in report["splits"].items()})
    notes = begin(out, plan)
    work = {
        split: _Split(source, _shards(source, out, notes, name))
        for split, source in sources.items()
    }
    todo = [shard for split in work.values() for shard in split.take_up()]
    workers = os.cpu_count() or 1 if workers is None else workers
    total = sum(map(len, sources.values()))
    done = total - sum(map(len, todo))
    with bar(f"images of {name}", total, done, shown=progress) as advance:
        _judge(out, plan, work, max_bad_share)
        with closing(write_shards(sources, todo, short_side, workers)) as results:
            for shard, written in results:
                work[shard.split].written[shard] = written
                _judge(out, plan, work, max_bad_share)
                advance(len(shard))
    _write_report(out, plan, work)
    write_metadata(
        out,
        name,
        {split: each.sizes() for split, each in work.items()},
        first.prompts,
        f"{source_spec}, with short sides of at most {short_side} pixels. See {REPORT}.",
    )
    end(out)
    return Summary(out, name, {split: each.report() for split, each in work.items()})


def _open(source_spec: str, splits: Sequence[str] | None) -> dict[str, Source]:
    """The sources by split."""
    names = source_splits(source_spec) if splits is None else splits
    if not names:
        raise UserError(f"{source_spec} has no splits to write.")
    for name in names:
        if name == "all" or not re.fullmatch(r"\w+", name):
            raise UserError(
                f"A TFDS data set cannot have a split {name!r}: a split's name has letters, "
                'digits and _ only, and "all" stands for every split. Name the splits to write.'
            )
    return {source.split: source for source in (open_source(source_spec, name) for name in names)}


def _plan(source_spec: str, sources: dict[str, Source], side: int) -> Plan:
    """All that the result depends on, except for the images themselves."""
    return {
        "source": source_spec,
        "short_side": side,
        "jpeg_quality": JPEG_QUALITY,
        "shard_records": SHARD_RECORDS,
        "splits": {
            split: {
                "records": len(source),
                "digest": _digest(source.items) if isinstance(source, Folder) else "",
            }
            for split, source in sources.items()
        },
    }


def _digest(items: list[Item]) -> str:
    return hashlib.sha256(repr(items).encode()).hexdigest()


def _shards(source: Source, out: Path, notes: Path, name: str) -> list[Shard]:
    starts = range(0, len(source), SHARD_RECORDS)
    return [
        Shard(
            source.split,
            start,
            min(start + SHARD_RECORDS, len(source)),
            out / shard_file(name, source.split, number, len(starts)),
            notes / f"{source.split}-{number:05d}.json",
        )
        for number, start in enumerate(starts)
    ]


def _judge(out: Path, plan: Plan, work: dict[str, _Split], max_bad_share: float) -> None:
    """Stops the work where a split has too many blemishes, whose list it leaves."""
    for split, each in work.items():
        report = each.report()
        if len(report.blemishes) > max_bad_share * report.records:
            _write_report(out, plan, work)
            told = "; ".join(
                f"{bad.where}: {bad.image_id} {bad.reason}" for bad in report.blemishes[:3]
            )
            raise UserError(
                f"{len(report.blemishes)} blemishes so far in the {report.records:,} images of "
                f"{split}, which is more than {max_bad_share:.1%}. The first: {told}. All are "
                f"in {out / REPORT}. Mend them and write to another folder, or allow more "
                "(max_bad_share) and run it again."
            )


def _write_report(out: Path, plan: Plan, work: dict[str, _Split]) -> None:
    reports = {split: asdict(each.report()) for split, each in work.items()}
    write_json(out / REPORT, {"plan": plan, "splits": reports})


def _read(report: dict[str, Any]) -> SplitReport:
    blemishes = [Blemish(**each) for each in report["blemishes"]]
    return SplitReport(report["records"], report["kept"], blemishes)
