"""The layers of a recurrent decoder, one word at a time, and where among them it looks."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxcap.models.cells import State, cell_of
from jaxcap.models.dropout import Dropout
from jaxcap.models.looking import Look
from jaxcap.models.memory import Memory
from jaxcap.models.product import Dense

States = tuple[State, ...]  # of the layers, first to last


class RecurrentStack(nn.Module):
    """Layers, and a look at the image before, between or after them.

    Attributes:
      cell, width, depth: as `RecurrentDecoder` has them.
      look: where the image is looked at, or None.
      looks: so many layers come before the look.
      starts: the layers start from the image.
      dropout: between layers.
      dtype: of the computation.
    """

    cell: str
    width: int
    depth: int
    look: Look | None
    looks: int
    starts: bool
    dropout: float
    dtype: str

    def setup(self) -> None:
        cell, dtype = cell_of(self.cell), self.dtype
        gates = cell.gates * self.width
        self.cells = [cell(self.width, dtype) for _ in range(self.depth)]
        self.reads = [Dense(gates, dtype=dtype) for _ in range(self.depth)]
        if self.look is not None and self.looks < self.depth:
            self.reads_seen = Dense(gates, use_bias=False, dtype=dtype)
        if self._feeds_back:
            self.reads_back = Dense(gates, use_bias=False, dtype=dtype)
        if self.starts:
            self.start = Dense(self.depth * cell.remembers * self.width, dtype=dtype)
        self.drop = Dropout(self.dropout)

    @property
    def _feeds_back(self) -> bool:
        """The first layer reads what the last one said, and the whole image."""
        return self.look is not None and 0 < self.looks < self.depth

    def image(self, memory: Memory, train: bool) -> Any:
        """What the layers need of the image for each word."""
        drawn = views = None
        if self.look is not None:
            views, drawn = self.look.views(memory), self.look.drawn(memory.mask.shape[0], train)
        return views, drawn, memory.pooled().astype(self.dtype)

    def first(self, memory: Memory) -> States:
        """The states before anything is read, of one stream an image."""
        remembers = cell_of(self.cell).remembers
        shape = (memory.mask.shape[0], 1, self.depth, remembers, self.width)
        if self.starts:
            start = self.start(memory.pooled().astype(self.dtype))
            states = jnp.tanh(start.astype(jnp.float32)).reshape(shape)
        else:
            states = jnp.zeros(shape)
        return tuple(tuple(states[:, :, i, j] for j in range(remembers)) for i in range(self.depth))

    def read(self, words: Float[Array, "B K T E"]) -> Float[Array, "B K T G"]:
        """What the words add to the gates of the first layer: one product for all of them."""
        return self.reads[0](words)

    def __call__(
        self, image: Any, states: States, read: Float[Array, "B K G"], train: bool
    ) -> tuple[States, tuple[Float[Array, "B K D"], Float[Array, "B K E"]]]:
        """The states after one word more, what the last layer says, and what was seen."""
        views, drawn, whole = image
        last = x = states[-1][0].astype(self.dtype)
        seen = jnp.broadcast_to(whole[:, None], (*last.shape[:2], whole.shape[-1]))
        new = []
        for i, (cell, state) in enumerate(zip(self.cells, states, strict=True)):
            gates = read if i == 0 else self.reads[i](self.drop(x, train))
            if i == 0 and self._feeds_back:
                gates = gates + self.reads_back(jnp.concatenate([last, seen], axis=-1))
            if self.look is not None and i == self.looks:
                seen = self.look(x, views, drawn, train)
                gates = gates + self.reads_seen(seen)
            new.append(cell(state, gates))
            x = new[-1][0].astype(self.dtype)
        if self.look is not None and self.looks == self.depth:
            seen = self.look(x, views, drawn, train)
        return tuple(new), (x, seen)

    def take_in(
        self,
        image: Any,
        states: States,
        read: Float[Array, "B 1 G"],
        real: Bool[Array, " B"],
        train: bool,
    ) -> States:
        """The states after one token of the image; they stay where it is not real."""
        new, _ = self(image, states, read, train)
        return tuple(
            tuple(jnp.where(real[:, None, None], a, b) for a, b in zip(after, before, strict=True))
            for after, before in zip(new, states, strict=True)
        )
