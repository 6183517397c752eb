"""`jaxcap caption RUN --input ... --output ...`: what the words on the command line mean."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxcap.errors import UserError


def caption_input(
    run: Path,
    given: str,
    output: Path,
    *,
    part: str,
    split: str,
    settings: Mapping[str, Any],
) -> None:
    """Caption all images of an input (see `jaxcap.bulk.caption_all`).

    Args:
      run: that was trained.
      given: a file that lists images, a pattern of ArrayRecord files, or any data source.
      output: the folder for captions.
      part: "I/N".
      split: of the data source.
      settings: fields of the run's config to replace; None leaves one as it is.

    Raises:
      UserError: a part that is none, or as `caption_all`.
    """
    numbers = re.fullmatch(r"(\d+)/(\d+)", part)
    if numbers is None:
        raise UserError(f"--part is {part!r}; expected which of how many, from 0, such as 3/16.")

    from jaxcap.bulk import caption_all  # jax takes seconds to import
    from jaxcap.experiment import Experiment
    from jaxcap.run import Run

    changes = {"data.source": source_of(given), "data.eval": split, **settings}
    bundle = Run(run)
    experiment = Experiment.of_run(bundle, {k: v for k, v in changes.items() if v is not None})
    first, count = map(int, numbers.groups())
    caption_all(experiment, bundle, output, part=(first, count))


def source_of(given: str) -> str:
    """The data source that an input is."""
    from jaxcap.data.sources import SOURCES

    if given.partition(":")[0] in SOURCES:
        return given
    return f"list:{given}" if Path(given).expanduser().is_file() else f"array_record:{given}"
