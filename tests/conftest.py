"""Eight CPU devices, strict dtypes and shapes, and the place of the reference data."""

from pathlib import Path

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_disable_most_optimizations", True)  # compiling is most of the time
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

install_import_hook("jaxcap", "beartype.beartype")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Reference data that is not part of the project: photographs, golden scores, activations."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data, and there is none at {SHARED}")
    return SHARED
