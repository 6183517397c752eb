"""A run that only captions, small enough to be passed on: weights of its best step in bfloat16."""

import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from jaxcap.about import SCORES, public
from jaxcap.atomic import write_text
from jaxcap.interop.model_card import model_card
from jaxcap.interop.new_folder import check_new, new_folder
from jaxcap.models import build
from jaxcap.run import Run
from jaxcap.state import init_variables

COMMITTED = "commit_success.txt"
USE = """\
from jaxcap import Captioner

captioner = Captioner.load(FOLDER)
print(captioner(["photo.jpg"])[0][0].text)
"""


def slim(run_dir: str | Path, out_dir: str | Path, license: str = "") -> None:
    """Write a run directory with the weights that caption, in bfloat16, and a model card.

    Its captions may differ from the run's where rounding decides.

    Args:
      run_dir: the run.
      out_dir: a new directory.
      license: of the weights; by default that of the run, if it is known.

    Raises:
      UserError: it is no run, or something is where it should be written.
    """
    run, out_dir = Run(run_dir), Path(out_dir)
    check_new(out_dir)
    config, tokenizer, step = run.config(), run.tokenizer(), run.best_step()
    license = license or run.license(step) or ""
    model = build(config.model, tokenizer.vocab_size, config.data.max_len + 1)
    shapes = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    params, stats = run.restore_model(step, *jax.tree.map(_halved, shapes))
    with new_folder(out_dir) as new:
        small = Run(new)
        small.save_config(_public(config))
        tokenizer.save(new / "tokenizer")
        source = f"step {step} of {run.path.name}, in bfloat16"
        small.save_imported(params, stats, {"source": source, "license": license}, step)
        small.close()
        for mark in new.rglob(
            COMMITTED
        ):  # orbax tells the folder in them; that they are there counts
            write_text(mark, "Committed.\n")
        if (run.path / SCORES).is_file():
            shutil.copyfile(run.path / SCORES, new / SCORES)
        write_text(new / "README.md", model_card(run, config, step, USE, license=license))


def _halved(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """The shape of a parameter in bfloat16; what is no floating number stays as it is."""
    floating = jnp.issubdtype(leaf.dtype, jnp.floating)
    return jax.ShapeDtypeStruct(leaf.shape, jnp.bfloat16 if floating else leaf.dtype)


def _public(config: ConfigDict) -> ConfigDict:
    """Without the folders of who trained it."""
    said: Any = config.copy_and_resolve_references()
    said.data.source = public(config.data.source)
    said.data.cache = ""
    for holder, field in (
        (said, "init_from"),
        (said.tokenizer, "path"),
        (said.data, "region_features"),
        (said.model, "word_vectors"),
        (said.model.encoder, "init_from"),
        (said.model.decoder, "init_from"),
    ):
        if holder.get(field):
            holder[field] = Path(holder[field]).name
    return said
