"""A run directory: config, tokenizer and checkpoints; all that a captioner is."""

import json
import shutil

import jax
from ml_collections import ConfigDict

from jaxcap.atomic import write_text
from jaxcap.checkpoint import Checkpoints
from jaxcap.config import completed
from jaxcap.data.text import Tokenizer, load_tokenizer
from jaxcap.errors import UserError

TOKENIZER, ORIGIN = "tokenizer", "origin"  # folders of a run; the latter of an imported one


class Run(Checkpoints):
    """The directory of one run. Every file in it is written beside its place and renamed."""

    def save_config(self, config: ConfigDict) -> None:
        """Write config.json."""
        self.path.mkdir(parents=True, exist_ok=True)
        if jax.process_index() == 0:
            write_text(self.path / "config.json", config.to_json(indent=2) + "\n")

    def config(self) -> ConfigDict:
        """The config of the run; see `jaxcap.config.completed`.

        Raises:
          UserError: this is not a run directory, or its config.json is damaged.
        """
        file = self.path / "config.json"
        if not file.is_file():
            found = sorted(entry.name for entry in self.path.glob("*"))[:8]
            holds = f"It holds: {', '.join(found)}." if found else "It is empty or does not exist."
            raise UserError(
                f"{self.path} is not a run directory: there is no config.json in it. {holds} "
                "A run directory is what training writes to --workdir."
            )
        try:
            fields = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(fields, dict) or not fields:
                raise ValueError("it has no fields")
            if "model_type" in fields:
                raise UserError(
                    f"{self.path} is no run directory but a {fields['model_type']} in the Hugging "
                    f"Face layout. Make a run of it first: jaxcap convert {self.path} RUN"
                )
            return completed(fields)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{file} is damaged: {error}. Restore it from a copy, or from that of a run of the "
                "same config."
            ) from error

    def begin(self, tokenizer: Tokenizer, parent: "Run | None" = None) -> None:
        """Write what training does not change: tokenizer/, and what an import left in the parent.

        Args:
          tokenizer: of the run.
          parent: the run that this one starts from, if it does.
        """
        if jax.process_index() == 0:
            tokenizer.save(self.path / TOKENIZER)
            beside = self.path / f".{ORIGIN}"
            for left in (beside, self.path / ORIGIN):  # by a start that failed
                shutil.rmtree(left, ignore_errors=True)
            if parent is not None and (parent.path / ORIGIN).is_dir():
                shutil.copytree(parent.path / ORIGIN, beside)
                beside.rename(self.path / ORIGIN)

    def license(self, step: int) -> str | None:
        """That of the weights of a checkpoint, if it is known."""
        said = self.origin(step).get("license") if self.imported(step) else None
        return said or self.config().license or None

    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the run."""
        return load_tokenizer(self.path / TOKENIZER)
