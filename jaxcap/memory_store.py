"""Memories of a frozen encoder, kept: each photograph of a split is encoded once, not once a step.

A folder of ArrayRecord shards with a manifest.json, named after everything that the memories
depend on. Each shard is written beside its place and renamed: encoding that was cut short goes on.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter
from flax.traverse_util import flatten_dict
from jax.sharding import Mesh
from ml_collections import ConfigDict
from rich.progress import track

from jaxcap.checkpoint import write_text
from jaxcap.data.frame import Frame
from jaxcap.data.pipeline import EvalExample, check_view, eval_batches
from jaxcap.data.record import Source
from jaxcap.data.views import Memories, kept_row
from jaxcap.errors import UserError
from jaxcap.log import console
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.shown import Shown
from jaxcap.partition import over_batch, to_devices, to_host

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
        row = kept_row(tuple(kept["shape"]), kept["dtype"], kept.get("regions", 0))
        return Memories(files, row, kept.get("images", 1))

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
            read.
        """
        digest = _digest(variables)
        if self.manifest.is_file():
            kept = json.loads(self.manifest.read_text(encoding="utf-8"))
            if kept["weights"] != digest:
                raise UserError(
                    f"The memories in {self.folder} are of other weights ({kept['weights']}) than "
                    f"this encoder's ({digest}). Delete the folder, or choose another data.cache."
                )
            return
        check_view(example.view, self.source)

        def features(variables: Any, batch: Mapping[str, jax.Array]) -> jax.Array:
            memory: Any = model.apply(variables, Shown.of(batch), method="features")
            _, S, D = memory.tokens.shape
            is_map = memory.grid is not None and math.prod(memory.grid) == S
            shape = (*memory.grid, D) if is_map else (S, D)
            return memory.tokens.astype(jnp.float16).reshape(*batch["present"].shape, *shape)

        encode = over_batch(features, mesh)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.source.name}, split {self.source.split}"
        console.print(f"Encoding {len(self.source)} images of {name} -> {self.folder}")
        files, shape = [], None
        for first in track(range(0, len(self.source), SHARD), "encoding", console=console):
            file = self.folder / f"memories-{first:08d}-{digest}.array_record"
            files.append(file.name)
            if file.is_file():
                continue
            rows: list[tuple[int, bytes]] = []
            indices = range(first, min(first + SHARD, len(self.source)))
            host = (jax.process_index(), jax.process_count())
            for batch in eval_batches(example, indices, batch_size=batch_size, host=host):
                marks = {name: batch[name] for name in MARKS if name in batch}
                memory = to_host(encode(variables, to_devices(_shown(batch), mesh)))
                shape = memory.shape[2:]
                found = _rows({**to_host(to_devices(marks, mesh)), "memory": memory})
                rows += [(index, row) for index, row in found if index in indices]
            if jax.process_index() == 0:
                _write(file, [data for _, data in sorted(rows)])
        if shape is None:  # all shards were there, only the manifest was not
            shape = _shape(encode, variables, example, batch_size, mesh)
        if jax.process_index() == 0:
            blank = example.view.blank()
            kept = {
                "files": files,
                "shape": list(shape),
                "dtype": "float16",
                "images": len(blank["present"]),
                "regions": len(blank["real"][0]) if "real" in blank else 0,
                "weights": digest,
            }
            write_text(self.manifest, json.dumps(kept, indent=1))


def memory_store(config: ConfigDict, source: Source) -> MemoryStore:
    """The store of a split, in a folder named after all that its memories depend on."""
    frame = Frame.of(config.data)
    # The usual frame goes unsaid: memories that were kept when there was no other are found still.
    framed = {} if frame == Frame(frame.image_size) else {"frame": asdict(frame)}
    data = config.data
    several = {"shown": [data.images, data.regions]} if data.images > 1 or data.regions else {}
    depends = {
        "encoder": config.model.encoder.to_dict(),
        "seed": None if config.model.encoder.get("init_from") else config.seed,
        "dtype": config.model.dtype,
        "image_size": frame.image_size,
        **framed,
        **several,
        **({"init_from": config.init_from} if config.init_from else {}),
        "source": config.data.source,
        "images": len(source),
    }
    text = json.dumps(depends, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return MemoryStore(Path(config.data.cache) / f"{source.name}-{source.split}-{key}", source)


def _write(file: Path, rows: list[bytes]) -> None:
    beside = file.with_name(f".{file.name}")
    writer = ArrayRecordWriter(str(beside), "group_size:1,uncompressed")
    for row in rows:
        writer.write(row)
    writer.close()
    beside.replace(file)


def _shape(encode: Any, variables: Any, example: Any, batch_size: int, mesh: Mesh) -> Any:
    batch = next(eval_batches(example, range(1), batch_size=batch_size))
    return jax.eval_shape(encode, variables, to_devices(_shown(batch), mesh)).shape[2:]


def _rows(batch: Mapping[str, np.ndarray]) -> Iterator[tuple[int, bytes]]:
    """The index of each record, and what is kept of its images; of an unreadable one nothing."""
    memory = batch["memory"]
    regions = batch["real"].shape[2] if "real" in batch else 0
    rows = np.zeros(memory.shape[:2], kept_row(memory.shape[2:], memory.dtype.str, regions))
    for name in rows.dtype.names or ():
        rows[name] = batch[name]
    for index, valid, present, row in zip(
        batch["index"], batch["valid"], batch["present"], rows, strict=True
    ):
        yield int(index), row[present].tobytes() if valid else b""


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
