"""The checkpoints of a run: which of them there are, saving and restoring."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.tree_util import tree_leaves_with_path
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from jaxcap.errors import UserError
from jaxcap.partition import path_name
from jaxcap.state import Params, TrainState

BEST_BY = "CIDEr"
PARTS = {"_CHECKPOINT_METADATA", "model"}  # of a checkpoint that is whole, and of these one more:
TRAIN = ("trained", "opt_state", "step", "baseline")  # of a state: what only training needs,
ANCHOR = "anchor"  # and this where it has one
TRAINED, IMPORTED = {"train", "data"}, {"origin"}


class Checkpoints:
    """Those in a run's directory.

    A checkpoint has two items: `model` (the averaged and the frozen parameters, and the batch
    statistics: what captions) and `train` (what only training needs: the parameters as the
    optimizer left them, its state, the objective's baseline, the parameters that it is held to if
    there are such, and the step, which is also the position in the data). One that was imported has
    `origin` in the place of the latter: where it is from.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path).absolute()
        best = BestN(
            get_metric_fn=lambda metrics: metrics[BEST_BY],
            n=1,
            keep_checkpoints_without_metrics=False,
        )
        self._options = ocp.CheckpointManagerOptions(
            best_fn=lambda metrics: metrics[BEST_BY],
            best_mode="max",
            preservation_policy=AnyPreservationPolicy([LatestN(2), best]),
        )
        self._manager: ocp.CheckpointManager | None = None

    @property
    def manager(self) -> ocp.CheckpointManager:
        """Opened when first needed; ask `steps` which of its checkpoints may be read."""
        if self._manager is None:
            folder = self.path / "checkpoints"
            folder.mkdir(parents=True, exist_ok=True)
            handlers = {
                "model": ocp.StandardCheckpointHandler(),
                "train": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
                "origin": ocp.JsonCheckpointHandler(),
            }  # without them only the process that saved an item could ask for its shapes
            self._manager = ocp.CheckpointManager(
                folder, options=self._options, item_handlers=handlers
            )
        return self._manager

    def steps(self) -> list[int]:
        """The checkpoints that are whole.

        A save that a kill cut short has another name; an old checkpoint that was being removed
        then, or a copy that was cut short, has the name but lacks a part.
        """
        if not (self.path / "checkpoints").is_dir():
            return []
        return [step for step in self._known() if self._has(step, TRAINED) or self.imported(step)]

    def imported(self, step: int) -> bool:
        """Whether a checkpoint is one that only captions: it has no optimizer to go on with."""
        return self._has(step, IMPORTED)

    def origin(self, step: int) -> dict[str, Any]:
        """Where an imported checkpoint is from."""
        items = ocp.args.Composite(origin=ocp.args.JsonRestore())
        return dict(self.manager.restore(step, args=items).origin)

    def shapes(self, step: int) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter that captions, by its path."""
        leaves = tree_leaves_with_path(self.manager.item_metadata(step)["model"]["params"])
        return {path_name(path): tuple(leaf.shape) for path, leaf in leaves}

    def _has(self, step: int, parts: set[str]) -> bool:
        folder = self.path / "checkpoints" / str(step)
        return all((folder / part).exists() for part in PARTS | parts)

    def _known(self) -> list[int]:
        return sorted(self.manager.all_steps())

    def save(self, state: TrainState, scores: dict[str, float] | None = None) -> None:
        """Save the state after its step; `scores` make it a candidate for the best."""
        step = int(state.step)
        if set(self._known()) != set(self.steps()):
            self.wait()
        whole = self.steps()
        for damaged in set(self._known()) - set(whole):
            if damaged >= step:  # orbax would save nothing before it
                self.manager.delete(damaged)
        if step in whole:
            return
        model = {"params": {**state.frozen, **state.average}, "stats": state.stats}
        train = _for_training(state)
        items = {
            "model": ocp.args.StandardSave(model),
            "train": ocp.args.StandardSave(train),
            "data": ocp.args.JsonSave({"next_batch": step}),
        }
        self.manager.save(step, args=ocp.args.Composite(**items), metrics=scores)

    def save_imported(
        self, params: Params, stats: Params, origin: dict[str, Any], step: int = 0
    ) -> None:
        """Save what captions, and where it is from."""
        items = {
            "model": ocp.args.StandardSave({"params": params, "stats": stats}),
            "origin": ocp.args.JsonSave(origin),
        }
        self.manager.save(step, args=ocp.args.Composite(**items))
        self.wait()

    def wait(self) -> None:
        """Until the last save is on the disk."""
        self.manager.wait_until_finished()

    def close(self) -> None:
        """Until all is on the disk, and no file is open: before the directory is moved."""
        self.manager.close()
        self._manager = None

    def latest_step(self) -> int | None:
        """The step to go on from, or None for a run that has not begun."""
        return max(self.steps(), default=None)

    def best_step(self) -> int:
        """The step with the best score, or the latest where none was evaluated.

        Raises:
          UserError: there is no checkpoint.
        """
        latest = self.latest_step()
        if latest is None:
            raise UserError(
                f"The run {self.path} has no finished checkpoint in {self.path / 'checkpoints'}. "
                "Train it first: python -m jaxcap.main --config=... --workdir=..."
            )
        best = self.manager.best_step()
        return best if best in self.steps() else latest

    def checkpoint(self, step: int | None = None) -> int:
        """The step of the checkpoint to use: the wanted one, or the best.

        Raises:
          UserError: there is none, or none of that step.
        """
        best = self.best_step()
        known = self.steps()
        if step is not None and step not in known:
            raise UserError(
                f"The run {self.path} has no checkpoint of step {step}. It has those of "
                f"{', '.join(map(str, known))}; the best is {best}."
            )
        return best if step is None else step

    def restore_train(self, step: int, like: TrainState) -> TrainState:
        """The whole state, laid out as `like` (arrays, or their shapes with shardings).

        Raises:
          UserError: the run is of another model; with the leaves that differ. Or the checkpoint
            was imported, and has nothing that could go on.
        """
        if self.imported(step):
            raise UserError(
                f"{self.path} was imported: it captions, but has no optimizer to go on with. Start "
                f"from it in a run of its own: --config.init_from={self.path} and another "
                "--workdir."
            )
        train, there = _for_training(like), {*self.manager.item_metadata(step)["train"]}
        if ANCHOR in there:  # is read, whether the settings still ask for it or not
            train.setdefault(ANCHOR, like.trained)
        if lacks := set(train) - there:
            raise UserError(
                f"{self.path} was written by an earlier version or with other settings, so that "
                f"its training cannot go on (it has no {', '.join(lacks)}). Start from it in a run "
                f"of its own: --config.init_from={self.path} and another --workdir."
            )
        model = {"params": {**like.frozen, **like.average}, "stats": like.stats}
        self._check_same(step, "model", "params", model["params"])
        self._check_same(step, "train", "trained", like.trained, "set of trained parameters")
        self._check_same(step, "train", "opt_state", like.opt_state, "optimizer (optim.kind)")
        restored = self.manager.restore(
            step,
            args=ocp.args.Composite(
                model=ocp.args.StandardRestore(_abstract(model)),
                train=ocp.args.StandardRestore(_abstract(train)),
            ),
        )
        params = restored.model["params"]
        return like.replace(
            **{name: restored.train[name] for name in _for_training(like)},
            average={name: params[name] for name in like.average},
            frozen={name: params[name] for name in like.frozen},
            stats=restored.model["stats"],
        )

    def restore_model(self, step: int, params: Params, stats: Params) -> tuple[Params, Params]:
        """The (parameters, batch statistics) that caption, laid out as those given.

        Raises:
          UserError: the run is of another model; with the leaves that differ.
        """
        self._check_same(step, "model", "params", params)
        target = _abstract({"params": params, "stats": stats})
        restored = self.manager.restore(
            step, args=ocp.args.Composite(model=ocp.args.StandardRestore(target))
        )
        return restored.model["params"], restored.model["stats"]

    def _check_same(self, step: int, item: str, part: str, tree: Any, what: str = "model") -> None:
        there, here = (
            {path_name(path): tuple(leaf.shape) for path, leaf in tree_leaves_with_path(leaves)}
            for leaves in (self.manager.item_metadata(step)[item][part], tree)
        )
        if there == here:
            return
        names = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
        lines = [
            f"  {name}: {there.get(name, 'absent')} in the run, {here.get(name, 'absent')} here"
            for name in names[:8]
        ]
        more = f"\n  and {len(names) - 8} more" if len(names) > 8 else ""
        raise UserError(
            f"The checkpoint of step {step} in {self.path} is of another {what} than the "
            "config:\n"
            + "\n".join(lines)
            + more
            + "\nUse what the run was made with (its config.json), or another run."
        )


def _for_training(state: TrainState) -> dict[str, Any]:
    names = (*TRAIN, *[ANCHOR] * bool(state.anchor))
    return {name: getattr(state, name) for name in names}


def _abstract(tree: Any) -> Any:
    def describe(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(
            np.shape(leaf), leaf.dtype, sharding=getattr(leaf, "sharding", None)
        )

    return jax.tree.map(describe, tree)
