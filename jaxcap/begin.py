"""What a run is begun with: a config that is complete, and a tokenizer."""

from collections.abc import Iterator

from ml_collections import ConfigDict

from jaxcap.config import check
from jaxcap.data.record import Record, Source
from jaxcap.data.sources import open_source
from jaxcap.data.text import Tokenizer, build_tokenizer
from jaxcap.errors import UserError
from jaxcap.interop.start import resolved
from jaxcap.run import Run


def begun(config: ConfigDict, run: Run) -> tuple[ConfigDict, Tokenizer]:
    """The config with all settings of what it starts from, and the tokenizer, which the run has.

    The tokenizer of a run that has a checkpoint is the one that it was begun with; that of a run
    that starts from another is the other's, and so is the license of its weights, if it names none.

    Raises:
      UserError: a mistake in the config, or what it names is not there.
    """
    check(config)
    parent = _parent(config, run)
    before = run if run.latest_step() is not None else parent
    config = resolved(config, before.config() if before else None)
    if before and not config.license:
        config.license = before.license(before.best_step()) or ""
    tokenizer = before.tokenizer() if before else _tokenizer(config)
    if before is not run:
        run.begin(tokenizer, parent)
    return config, tokenizer


def _parent(config: ConfigDict, run: Run) -> Run | None:
    """The run that a run starts from, if it does.

    Raises:
      UserError: it is the very same, or no run that was trained.
    """
    if not config.init_from:
        return None
    parent = Run(config.init_from)
    if parent.path.resolve() == run.path.resolve():
        raise UserError(
            f"A run cannot start from itself: init_from and --workdir are both {run.path}. Choose "
            "another --workdir."
        )
    if run.latest_step() is None:
        parent.config()
        parent.best_step()
    return parent


def _tokenizer(config: ConfigDict) -> Tokenizer:
    """The tokenizer of the training split."""
    source = open_source(config.data.source, config.data.train)
    settings = config.tokenizer.to_dict()
    some = records(source, settings.pop("records"), "tokenizer.records")
    captions = (caption for record in some for caption in record.captions)
    return build_tokenizer(settings.pop("kind"), captions, prompts=source.prompts, **settings)


def records(source: Source, count: int, field: str) -> Iterator[Record]:
    """So many records from all over a split, without their images; all of them where it is 0.

    Raises:
      UserError: it is less; with the field of the config that says so.
    """
    if count < 0:
        raise UserError(f"{field} is {count}; give how many records to read, or 0 for all of them.")
    count = min(count or len(source), len(source))
    return (source.told(place * len(source) // count) for place in range(count))
