"""A config with everything it names opened: tokenizer, data, model, mesh, optimizer, search."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import UInt8
from ml_collections import ConfigDict

from jaxcap.begin import begun, records
from jaxcap.captioned import Captioning
from jaxcap.config import check_shown
from jaxcap.data.parts import check_fast
from jaxcap.data.pipeline import EvalExample, Example, TrainExample, View, check_view, eval_batches
from jaxcap.data.record import Source
from jaxcap.data.regions import check_features
from jaxcap.data.showing import Showing
from jaxcap.data.sources import open_source
from jaxcap.data.text import Tokenizer
from jaxcap.data.views import Pixels, Regions
from jaxcap.decode import Search
from jaxcap.decode.captions import captioner, settled
from jaxcap.errors import UserError
from jaxcap.evaluate import Evaluation, evaluate
from jaxcap.interop.report import Report
from jaxcap.interop.start import start
from jaxcap.lora import fresh_adapters, merged, without_adapters
from jaxcap.memory_store import memory_store
from jaxcap.models import build
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.product import for_steps
from jaxcap.models.shown import Shown
from jaxcap.optim import Params, check_parts, optimizer, split
from jaxcap.partition import check_batch, make_mesh, over_batch, shardings
from jaxcap.reward import Reward
from jaxcap.reward.example import RewardExample, split_prompts
from jaxcap.run import Run
from jaxcap.state import TrainState, init_variables, linen_variables, new_state


@dataclass(frozen=True)
class Experiment:
    """What training and evaluation share. Parts are made when first asked for, and once."""

    config: ConfigDict
    tokenizer: Tokenizer
    mesh: Mesh

    @classmethod
    def open(cls, config: ConfigDict, run: Run) -> "Experiment":
        """The experiment of a config in a run directory, which then has a tokenizer."""
        config, tokenizer = begun(config, run)
        return cls(config, tokenizer, make_mesh(config.mesh.to_dict()))

    @classmethod
    def of_run(cls, run: Run, changes: Mapping[str, Any]) -> "Experiment":
        """The experiment of a trained run on whatever devices there are; the run is not changed.

        Kept memories are not used: they are of the data that the run was trained on.

        Args:
          run: that was trained.
          changes: to its config, such as {"data.eval": "test"}.

        Raises:
          UserError: they do not fit the run.
        """
        config = ConfigDict(run.config().to_dict())
        config.data.cache = ""
        config.search.unlock()
        with config.ignore_type():  # a 1 in the file may become a 0.7
            config.update_from_flattened_dict(changes)
        check_shown(config.data)
        return cls(config, run.tokenizer(), make_mesh({"data": -1}))

    @cached_property
    def model(self) -> CaptionModel:
        """The model; positions reach to BOS and the longest caption."""
        config = self.config
        return build(config.model, self.tokenizer.vocab_size, config.data.max_len + 1)

    @cached_property
    def abstract_variables(self) -> tuple[Any, Any]:
        """Shapes of (parameters, batch statistics)."""
        return jax.eval_shape(self._fresh_variables, jax.random.key(0))

    @cached_property
    def _fresh_variables(self) -> Callable[[jax.Array], tuple[Params, Params]]:
        """A key -> (parameters, batch statistics); compiled, so that it is traced once for all."""
        return jax.jit(partial(init_variables, self.model, self.config))

    @cached_property
    def optimizer(self) -> optax.GradientTransformation:
        """Over the trained parameters."""
        config = self.config
        check_parts(self.abstract_variables[0], config.optim.parts or ())
        trained, _ = split(self.abstract_variables[0], config.optim.parts or ())
        if not trained:
            raise UserError("optim.parts freezes every parameter: there is nothing to train.")
        return optimizer(config.optim, config.steps, trained)

    def fresh_state(self) -> tuple[TrainState, Report]:
        """The state before the first step, each array made where it will lie on the mesh.

        Returns:
          The state; and what became of the leaves of what it starts from, a run or published
          weights.
        """

        def make(key: jax.Array) -> TrainState:
            return new_state(*self._fresh_variables(key), self.config, self.optimizer)

        layout = jax.tree.map(lambda leaf: leaf.sharding, self.abstract_state())
        state = jax.jit(make, out_shardings=layout)(jax.random.key(self.config.seed))
        if self.config.init_from:
            ready, report = self._model_of(Run(self.config.init_from))
        else:
            fresh = {**state.trained, **state.frozen, **state.stats}
            ready, report = start(self.config, fresh, self.tokenizer)
        return state.with_ready(ready), report

    def _model_of(self, run: Run) -> tuple[Params, Report]:
        """What captions in another run, by path; its adapters are merged into their kernels."""
        mine, stats = self.abstract_variables
        model = without_adapters(mine)
        adapters = partial(fresh_adapters, model, run.config().model.lora or ())
        theirs = jax.eval_shape(adapters, jax.random.key(0))
        like = self.on_mesh(({**model, **theirs}, stats))
        params, stats = run.restore_model(run.best_step(), *like)
        ready = {**jax.jit(merged)(params), **stats}
        fresh = {path: leaf.shape for path, leaf in mine.items() if path not in model}
        return ready, Report(loaded={path: path for path in ready}, fresh=fresh)

    def restore(self, run: Run, step: int) -> TrainState:
        """The state of a run at a step, laid out for this mesh, whatever it was saved on."""
        return run.restore_train(step, self.abstract_state())

    def restore_variables(self, run: Run, step: int) -> dict[str, Any]:
        """Only what captions of a run at a step."""
        params, stats = run.restore_model(step, *self.on_mesh(self.abstract_variables))
        return linen_variables(params, stats)

    def abstract_state(self) -> TrainState:
        """The shapes of the state, with the shardings that it has on the mesh."""

        def make(params: Params, stats: Params) -> TrainState:
            return new_state(params, stats, self.config, self.optimizer)

        return self.on_mesh(jax.eval_shape(make, *self.abstract_variables))

    def on_mesh(self, shapes: Any) -> Any:
        """The shapes of a tree, with the shardings that its arrays have on the mesh."""
        return jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
            shapes,
            shardings(shapes, self.mesh),
        )

    def source(self, split: str) -> Source:
        """A split of the data."""
        return open_source(self.config.data.source, split)

    def view(self, source: Source) -> View:
        """How the model is shown the images of a source.

        Pixels, memories of them that were kept, or precomputed features of their regions.

        Raises:
          UserError: none of the first records can be shown.
        """
        data = self.config.data
        if data.cache:
            view: View = memory_store(self.config, source).view()
        elif data.features:
            view = Regions(source, Showing.of(data), check_features(Path(data.region_features)))
        else:
            view = Pixels(source, Showing.of(data))
        check_view(view, source)
        return view

    def keep_memories(self, variables: Any) -> None:
        """Encode the splits that `data.cache` has no memories of yet (see `jaxcap.memory_store`).

        Raises:
          UserError: the encoder is not frozen, or the kept memories are of other weights.
        """
        trained, _ = split(self.abstract_variables[0], self.config.optim.parts or ())
        moving = next(
            (name for name in trained if name.startswith(("encoder/", "lora/encoder/"))), None
        )
        if moving is not None:
            raise UserError(
                f"data.cache keeps the memories of a frozen encoder, but {moving} is trained. "
                'Freeze it, optim.parts=(("^encoder/", 0.0),), or leave data.cache empty.'
            )
        for name in dict.fromkeys((self.config.data.train, self.config.data.eval)):
            source = self.source(name)
            pixels = Pixels(source, Showing.of(self.config.data))
            memory_store(self.config, source).fill(
                self.model,
                variables,
                self.mesh,
                EvalExample(source, pixels, self.tokenizer),
                self.config.eval.batch_size,
            )

    def train_example(self) -> Example:
        """What training makes of an image.

        Raises:
          UserError: as `view`; or packages are not there.
        """
        data = self.config.data
        if data.fast:
            check_fast()
        source = self.source(data.train)
        view, end = self.view(source), self.config.reward.eos
        if not self.config.objective.samples:
            return TrainExample(source, view, self.tokenizer, data.captions, data.max_len)
        # Past four sigmas of CIDEr-D's penalty a reference is worth nothing, however long it is.
        longest = data.max_len + 24
        return RewardExample(source, view, self.tokenizer, data.captions, longest, end)

    @cached_property
    def reward(self) -> Reward | None:
        """What a drawn caption is worth, where captions are drawn."""
        config = self.config
        if not config.objective.samples:
            return None
        source = self.source(config.data.train)
        some = records(source, config.reward.records, "reward.records")
        captions = ([text for _, text in split_prompts(each, source.prompts)] for each in some)
        size = config.model.vocab_size or self.tokenizer.vocab_size
        return Reward.of(config.reward, self.tokenizer, size, captions)

    @cached_property
    def eval_example(self) -> EvalExample:
        """What evaluation makes of an image."""
        source = self.source(self.config.data.eval)
        for prompt in source.prompts:
            if self.tokenizer.backend.token_to_id(prompt) is None:
                raise UserError(
                    f"The records of {source.name} carry the prompt {prompt!r}, which this "
                    "captioner never saw: its training data has no such prompts. Evaluate it on "
                    "data without them."
                )
        return EvalExample(source, self.view(source), self.tokenizer)

    @cached_property
    def search(self) -> Search:
        """The search; a caption may be as long as the model has seen."""
        prompt = 1 if self.eval_example.source.prompts else 0
        longest = self.config.data.max_len - prompt
        search = Search.of(**{"max_len": longest, **self.config.search.to_dict()})
        if search.max_len > longest:
            raise UserError(
                f"search.max_len is {search.max_len}, but the model knows captions of at most "
                f"{longest} tokens after the prompt (data.max_len={self.config.data.max_len})."
            )
        settled(search, self.tokenizer)  # so that it is refused now, not at the first evaluation
        return search

    @cached_property
    def captioning(self) -> Captioning:
        """The compiled search."""
        find = captioner(self.model, self.tokenizer, self.search, self.config.seed)
        return over_batch(find, self.mesh)

    @cached_property
    def reconstructs(self) -> bool:
        """Whether the encoder draws images again; of memories that were kept it cannot."""
        return self.model.reconstructs and not self.config.data.cache

    @cached_property
    def _reconstructing(self) -> Any:
        return jax.jit(partial(self.model.apply, method="reconstruct"))

    def reconstructions(
        self, variables: Any, count: int
    ) -> tuple[UInt8[np.ndarray, "N h w 3"], UInt8[np.ndarray, "N h w 3"]]:
        """The first images of the evaluation split, as they are and as the encoder draws them.

        Every process has all of them.
        """
        batch = next(eval_batches(self.eval_example, range(count), batch_size=count))
        shown = Shown.of({name: jnp.asarray(batch[name]) for name in ("image", "present")})
        return np.asarray(shown.images()), np.asarray(self._reconstructing(variables, shown))

    def evaluate(self, variables: Any, step: int, **asked: Any) -> Evaluation:
        """Caption and score the evaluation split; see `jaxcap.evaluate.evaluate`.

        Args:
          variables: of the model.
          step: of the checkpoint.
          asked: images, also, progress.
        """
        config = self.config
        check_batch(config.eval.batch_size, self.mesh, name="eval.batch_size")
        return evaluate(
            self.captioning,
            for_steps(variables),
            self.eval_example,
            self.mesh,
            batch_size=config.eval.batch_size,
            search=self.search,
            step=step,
            seed=config.seed,
            workers=config.data.workers,
            **asked,
        )
