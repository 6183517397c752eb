"""jaxcap: image captioning in JAX and Flax."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcap.captioner import Captioner

__all__ = ["Captioner"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The captioner, imported only when it is asked for: jax takes seconds."""
    if name == "Captioner":
        from jaxcap.captioner import Captioner

        return Captioner
    raise AttributeError(f"module 'jaxcap' has no attribute {name!r}")
