"""Where each parameter of a published network lies in its files, read in both directions.

A family of networks has one table: rows of (path here, name there). What is done to an array on
the way follows from its path and is its own inverse on the way back, so that an array that goes
out and comes in again is the same to the last bit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcap.errors import UserError
from jaxcap.interop.report import Report

Arrays = Mapping[str, np.ndarray]  # by path here, or by name there
Name = str | Callable[[re.Match[str]], str]  # of a path's match, or with \1 for a group of it

LEAVES = {  # of a module here: its name in PyTorch
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
VOCABULARY = re.compile(r"words/(embedding|unembedding|bias)")  # padded with rows here
PADDING = 0.0
ANOTHER = "Are these weights of another network than config.json, or the settings, say?"


class Row(NamedTuple):
    """One line of a table.

    Attributes:
      ours: regex on the path of a parameter here, or of a module with leaves of `LEAVES`.
      theirs: the name of the tensor, or module, there.
      parts: the tensor there is several of ours behind one another; which of them a parameter is
        stands in the last group of `ours`.
      rank: dimensions of the tensor there, where it has more or fewer of size one.
      flipped: the kernel reads blue, green and red there, and not red, green and blue.
    """

    ours: str
    theirs: Name
    parts: tuple[str, ...] = ()
    rank: int = 0
    flipped: bool = False


@dataclass(frozen=True)
class Table:
    """The tensors of a family of networks.

    Attributes:
      rows: the first that fits a path is its place.
      fresh: regexes of paths that a source may lack.
      unused: regexes of names that captioning has no use for.
      copies: regexes of names, each with the name of the tensor that it repeats.
      renames: (regex, replacement) on names of other or older layouts, to those of the rows.
      input_first: kernels lie [..., inputs, outputs] there, and not [outputs, inputs, ...].
    """

    rows: tuple[Row, ...]
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    input_first: bool = False


def load(
    tensors: Arrays, shapes: Mapping[str, Any], table: Table, vocab: int, where: str
) -> tuple[dict[str, np.ndarray], Report]:
    """The arrays of a network, from the tensors of its file.

    Args:
      tensors: of this network and no other, by name; read when asked for.
      shapes: of its parameters here, by path.
      table: of its family.
      vocab: words in the source's vocabulary.
      where: what the file is of, for messages.

    Returns:
      Float32 arrays by path here, without those that are fresh; and what became of every leaf.

    Raises:
      UserError: a tensor is missing, has another shape, or fits nowhere; with names and shapes.
    """
    names = {_renamed(name, table): name for name in tensors}
    report, found = Report(), {}
    for path, leaf in shapes.items():
        row, name = _place(path, table, where)
        if name not in names:
            if not any(re.fullmatch(pattern, path) for pattern in table.fresh):
                raise UserError(
                    f"{where} has no tensor {name!r}, for {path} {leaf.shape} here. "
                    f"{_others(names, name)}"
                )
            report.fresh[path] = tuple(leaf.shape)
            continue
        outward = partial(_outward, path, row=row, table=table, vocab=vocab)
        expected = list(jax.eval_shape(outward, leaf).shape)
        axis = _stacked(table)
        expected[axis] *= max(len(row.parts), 1)
        tensor = tensors[names[name]]
        if list(tensor.shape) != expected:
            raise UserError(
                f"{where}: the tensor {name!r} has shape {list(tensor.shape)}; expected "
                f"{expected}, for {path} {list(leaf.shape)} here. {ANOTHER}"
            )
        if row.parts:
            tensor = np.split(tensor, len(row.parts), axis)[_part(path, row)]
        found[path] = _inward(path, tensor, row, leaf.shape, table)
        report.loaded[path] = names[name]
        report.note_type(names[name], tensor)
    _account(names, tensors, table, report, where)
    return found, report


def store(
    params: Arrays, table: Table, vocab: int, names: Mapping[str, str] = MappingProxyType({})
) -> dict[str, np.ndarray]:
    """The tensors of a network by name, from its arrays by path: the opposite of `load`.

    Args:
      params: by path.
      table: of its family.
      vocab: words in the vocabulary.
      names: of tensors, by path, where they were loaded under others than the table's.
    """
    stacks: dict[str, dict[int, np.ndarray]] = {}
    for path, array in params.items():
        row, name = _place(path, table, "This network")
        name = names.get(path, name)
        place = _part(path, row) if row.parts else 0
        stacks.setdefault(name, {})[place] = _outward(path, array, row, table, vocab)
    return {
        name: np.concatenate([parts[i] for i in sorted(parts)], _stacked(table))
        if len(parts) > 1
        else parts[0]
        for name, parts in stacks.items()
    }


def _place(path: str, table: Table, where: str) -> tuple[Row, str]:
    """The row of a parameter, and the name of its tensor."""
    module, _, leaf = path.rpartition("/")
    for row in table.rows:
        if match := re.fullmatch(row.ours, path):
            return row, _name(row, match)
        if leaf in LEAVES and (match := re.fullmatch(row.ours, module)):
            return row, f"{_name(row, match)}.{LEAVES[leaf]}"
    raise UserError(f"{where} has nothing like {path}: its family of networks has no such part.")


def _name(row: Row, match: re.Match[str]) -> str:
    return match.expand(row.theirs) if isinstance(row.theirs, str) else row.theirs(match)


def _part(path: str, row: Row) -> int:
    """Which of the stacked parts a parameter is."""
    for text in (path, path.rpartition("/")[0]):
        if match := re.fullmatch(row.ours, text):
            return row.parts.index(match[match.lastindex or 0])
    raise AssertionError(path)


def _stacked(table: Table) -> int:
    """The axis of the outputs, along which parts are stacked."""
    return -1 if table.input_first else 0


def _outward(path: str, x: Any, row: Row, table: Table, vocab: int) -> Any:
    """An array as it lies there."""
    if path.endswith("/kernel"):
        x = x[:, :, ::-1] if row.flipped else x
        if x.ndim == 4:
            return x if table.input_first else x.transpose(3, 2, 0, 1)
        reads = 2 if path.endswith("out/kernel") else 1
        x = x.reshape(prod(x.shape[:reads]), -1)
        return x if table.input_first else x.T
    if VOCABULARY.fullmatch(path):
        return x[:vocab]
    if path.endswith("/bias"):
        return x.reshape(-1)
    if row.rank:
        inner = x.shape[x.ndim - min(row.rank, x.ndim) :]
        return x.reshape((1,) * (row.rank - len(inner)) + inner)
    return x


def _inward(path: str, x: np.ndarray, row: Row, shape: tuple[int, ...], table: Table) -> np.ndarray:
    """A tensor as it lies here, float32."""
    if path.endswith("/kernel"):
        if not table.input_first:
            x = x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T
        x = x[:, :, ::-1] if row.flipped else x
    elif VOCABULARY.fullmatch(path):
        rest = [(0, shape[0] - len(x))] + [(0, 0)] * (x.ndim - 1)
        x = np.pad(x, rest, constant_values=PADDING)
    return np.ascontiguousarray(x.reshape(shape), np.float32)


def _account(
    names: Mapping[str, str], tensors: Arrays, table: Table, report: Report, where: str
) -> None:
    """Every tensor that was not loaded is a copy, or of no use; another one is an error."""
    loaded = set(report.loaded.values())
    for name in sorted(names):
        original = _first(name, table.copies)
        if names[name] in loaded:
            continue
        tensor = tensors[names[name]]
        if names.get(original) in loaded:
            if not np.array_equal(tensor, tensors[names[original]]):
                raise UserError(
                    f"{where}: the tensor {name!r} differs from {original!r}, with which "
                    "config.json ties it. Correct tie_word_embeddings there."
                )
            report.copies[names[name]] = names[original]
            report.note_type(names[name], tensor)
        elif any(re.fullmatch(pattern, name) for pattern in table.unused):
            report.unused[names[name]] = tuple(tensor.shape)
        else:
            raise UserError(
                f"{where}: there is no place here for the tensor {name!r} "
                f"{list(tensor.shape)}. {ANOTHER}"
            )


def _renamed(name: str, table: Table) -> str:
    for pattern, replacement in table.renames:
        name = re.sub(pattern, replacement, name)
    return name


def _first(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """What the first regex that fits the name stands with."""
    matches = ((re.fullmatch(pattern, name), to) for pattern, to in pairs)
    return next((match.expand(to) for match, to in matches if match), "")


def _others(names: Mapping[str, str], name: str) -> str:
    """What there is in the place of a missing tensor, for a message."""
    stem = name.rpartition(".")[0].rpartition(".")[0]
    near = sorted(other for other in names if other.startswith(stem))[:4]
    found = near or sorted(names)[:4]
    return f"Among its {len(names)} tensors are {', '.join(found)}." if found else "It has none."
