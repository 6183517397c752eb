"""Memories of a frozen encoder, kept: each photograph of a split is encoded once, not once a step.

A folder of ArrayRecord shards with a manifest.json, named after everything that the memories
depend on. Each shard is written beside its place and renamed: encoding that was cut short goes on.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter
from flax.traverse_util import flatten_dict
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jaxcap.atomic import beside, write_text
from jaxcap.data.frame import Frame
from jaxcap.data.pipeline import EvalExample, check_view, eval_batches, trouble
from jaxcap.data.record import Source
from jaxcap.data.views import Memories, kept_row
from jaxcap.errors import UserError
from jaxcap.log import console
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.shown import Shown, to_keep
from jaxcap.partition import over_batch, rows_here, to_devices, to_host
from jaxcap.progress import bar
from jaxcap.run import Run

SHARD = 512  # images
MARKS = ("index", "valid", "present", "boxes", "real")  # of a batch, that are kept or say what is


@dataclass(frozen=True)
class MemoryStore:
    """The kept memories of one split.

    Attributes:
      folder: where they are.
      source: whose images they are of, in its order.
    """

    folder: Path
    source: Source

    @property
    def manifest(self) -> Path:
        """Written last: a folder with it is whole."""
        return self.folder / "manifest.json"

    def view(self) -> Memories:
        """The memories, to be read by index.

        Raises:
          UserError: they are not (all) kept yet.
        """
        if not self.manifest.is_file():
            raise UserError(
                f"There are no kept memories of {self.source.name}, split {self.source.split}, in "
                f"{self.folder}. Make them: the training command with --mode=encode, or set "
                "data.cache to nothing to read the photographs themselves."
            )
        kept = json.loads(self.manifest.read_text(encoding="utf-8"))
        files = tuple(str(self.folder / name) for name in kept["files"])
        return Memories(files, _row(kept), kept["images"])

    def fill(
        self, model: CaptionModel, variables: Any, mesh: Mesh, example: EvalExample, batch_size: int
    ) -> None:
        """Encode what is not kept yet. An image that cannot be read has an empty record.

        Args:
          model: whose `features` are kept, in float16.
          variables: of the model.
          mesh: to encode on.
          example: the images of this split, as pixels.
          batch_size: over all devices.

        Raises:
          UserError: what is kept was made with other weights; or none of the first images can be
            shown.
        """

        def features(variables: Any, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
            memory: Any = model.apply(variables, Shown.of(batch), method="features")
            each = batch["present"].shape
            return {
                name: leaf.astype(jnp.float16).reshape(*each, *leaf.shape[1:])
                for name, leaf in to_keep(memory).items()
            }

        form = _form(features, variables, example.view.blank())
        digest = _digest(variables)
        if self.manifest.is_file():
            self._tell_again(form, digest)
            return
        check_view(example.view, self.source)
        encode = over_batch(features, mesh)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.source.name}, split {self.source.split}"
        console.print(f"Encoding {len(self.source)} images of {name} -> {self.folder}")
        files, row, lost = [], _row(form), list[int]()
        here = rows_here(batch_size, mesh)

        def rows_of(indices: range) -> Iterator[tuple[int, bytes]]:
            for batch in eval_batches(example, indices, batch_size=batch_size, rows=here):
                marks = {name: batch[name] for name in MARKS if name in batch}
                found = encode(variables, to_devices(_shown(batch), mesh))
                found = to_host({**found, **to_devices(marks, mesh)})
                yield from ((index, data) for index, data in _rows(found, row) if index in indices)

        with bar("images encoded", len(self.source), shown=jax.process_index() == 0) as advance:
            for first in range(0, len(self.source), SHARD):
                file = self.folder / f"memories-{first:08d}-{digest}.array_record"
                files.append(file.name)
                indices = range(first, min(first + SHARD, len(self.source)))
                if not file.is_file():
                    rows = list(rows_of(indices))
                    lost += [index for index, data in rows if not data]
                    if jax.process_index() == 0:
                        _write(file, [data for _, data in sorted(rows)])
                advance(len(indices))
        if lost:
            told = trouble(example.view, self.source, min(lost))
            console.print(f"  {len(lost)} unreadable images; the first: {told}")
        if jax.process_index() == 0:
            kept = {"files": files, **form, "weights": digest}
            write_text(self.manifest, json.dumps(kept, indent=1))
            for left in self.folder.glob(".*"):  # by runs that were killed
                left.unlink(missing_ok=True)
        if jax.process_count() > 1:  # nobody looks for the manifest before it is there
            multihost_utils.sync_global_devices("memories")

    def _tell_again(self, form: Mapping[str, Any], digest: str) -> None:
        """Tell the form of the same rows as it is told today."""
        before = json.loads(self.manifest.read_text(encoding="utf-8"))
        if before["weights"] != digest:
            raise UserError(
                f"The memories in {self.folder} are of other weights ({before['weights']}) than "
                f"this encoder's ({digest}). Delete the folder, or choose another data.cache."
            )
        kept = {"files": before["files"], **form, "weights": digest}
        if kept != before and jax.process_index() == 0:
            write_text(self.manifest, json.dumps(kept, indent=1))


def memory_store(config: ConfigDict, source: Source) -> MemoryStore:
    """The store of a split, in a folder named after all that its memories depend on.

    But for the photographs' pixels and boxes: after a change of those it is to be deleted.
    """
    data, begun = config.data, _begun(config)
    depends = {
        "encoder": config.model.encoder.to_dict(),
        "seed": None if config.model.encoder.get("init_from") else begun.seed,
        "dtype": config.model.dtype,
        "frame": asdict(Frame.of(data)),
        "shown": [data.images, data.regions],
        "init_from": begun.init_from,
        "source": data.source,
    }
    key = hashlib.sha256(json.dumps(depends, sort_keys=True).encode())
    for index in range(len(source)):  # rows are found by their number: the order counts
        key.update(f"\n{source.told(index).image_id}".encode())
    name = f"{source.name}-{source.split}-{key.hexdigest()[:12]}"
    return MemoryStore(Path(data.cache) / name, source)


def _begun(config: ConfigDict) -> ConfigDict:
    """That of the run which the encoder is from: the first of those that only handed it on.

    Of runs that are gone nothing is known: the memories of the first that is there are its own.
    """
    while (Path(config.init_from) / "config.json").is_file():
        parent = Run(config.init_from).config()
        if not parent.data.cache:  # where memories are kept, the encoder stays as it was
            break
        config = parent
    return config


def _write(file: Path, rows: list[bytes]) -> None:
    try:
        with beside(file) as place:
            writer = ArrayRecordWriter(str(place), "group_size:1,uncompressed")
            for row in rows:
                writer.write(row)
            writer.close()
    except FileNotFoundError:  # another run, which kept the same, was done and cleared up
        if not file.is_file():
            raise


def _form(features: Callable[..., Any], variables: Any, blank: Mapping[str, np.ndarray]) -> Any:
    """What the manifest tells of the rows: all of them have one form."""
    batch = {name: leaf[None] for name, leaf in _shown(blank).items()}
    shapes = {name: x.shape[2:] for name, x in jax.eval_shape(features, variables, batch).items()}
    return {
        "shape": list(shapes["memory"]),
        "dtype": "float16",
        "extra": shapes["extra"][0] if "extra" in shapes else 0,
        "images": len(blank["present"]),
        "regions": blank["real"].shape[1] if "real" in blank else 0,
    }


def _row(form: Mapping[str, Any]) -> np.dtype:
    return kept_row(tuple(form["shape"]), form["dtype"], form["extra"], form["regions"])


def _rows(batch: Mapping[str, np.ndarray], row: np.dtype) -> Iterator[tuple[int, bytes]]:
    """The index of each record, and what is kept of its images; of one not shown nothing."""
    rows = np.zeros(batch["present"].shape, row)
    for name in row.names or ():
        rows[name] = batch[name]
    for index, valid, present, images in zip(
        batch["index"], batch["valid"], batch["present"], rows, strict=True
    ):
        yield int(index), images[present].tobytes() if valid else b""


def _shown(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: batch[name] for name in ("image", "present")}


def _digest(variables: Any) -> str:
    """A hash of the encoder's weights."""
    digest = hashlib.sha256()
    for collection in ("params", "batch_stats"):
        leaves = flatten_dict(variables[collection].get("encoder", {}), sep="/")
        for name in sorted(leaves):
            digest.update(name.encode())
            digest.update(np.asarray(to_host(leaves[name])).tobytes())
    return digest.hexdigest()[:12]
