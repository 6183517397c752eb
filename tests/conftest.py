"""Eight CPU devices, strict dtypes and shapes, and the place of the reference data."""

from pathlib import Path

import jax
import orbax.checkpoint as ocp
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_disable_most_optimizations", True)  # compiling is most of the time
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Devices that hold the same array would each write a slice of it, and each slice is compiled.
ocp.type_handlers.register_type_handler(
    jax.Array, ocp.type_handlers.ArrayHandler(use_replica_parallel=False), override=True
)

# Shapes and dtypes are checked wherever arrays pass; pure Python is left at its own speed.
ARRAYS = (
    "models",
    "decode",
    "objective",
    "reward",
    "optim",
    "muon",
    "train_step",
    "explain",
    "data.frame",
    "data.regions",
    "data.showing",
    "data.views",
    "data.pipeline",
    "export.resample",
    "export.square",
)
install_import_hook([f"jaxcap.{room}" for room in ARRAYS], "beartype.beartype")

SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_make_parametrize_id(config, val, argname):
    """A long text in a test's id, such as a message, gives way to the name of its argument."""
    return argname if isinstance(val, str) and len(val) > 24 else None


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Reference data that is not part of the project: photographs, golden scores, activations."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data, and there is none at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a captioner of three steps; not to be written to."""
    from tiny_run import train_tiny  # after the import hook

    folder = tmp_path_factory.mktemp("tiny") / "run"
    train_tiny(folder)
    return folder
