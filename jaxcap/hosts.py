"""The processes of one run: each knows its own devices until it has joined the others."""

import re

import jax

from jaxcap.errors import UserError
from jaxcap.log import console

WAIT = 300  # seconds for the others to come


def join(coordinator: str = "", processes: int = 0, process: int = -1) -> None:
    """Join the other processes of the run; before anything asks JAX for a device.

    Without arguments JAX finds them: on a TPU pod, under SLURM, on GKE (with `pip install
    "jax[k8s]"` where it has no TPUs) and under Open MPI.

    Args:
      coordinator: HOST:PORT of process 0, which all can reach.
      processes: how many they are.
      process: which of them this is, from 0.

    Raises:
      UserError: only some arguments are given, or JAX finds no others.
    """
    given = (bool(coordinator), processes > 0, process >= 0)
    if any(given) and not all(given):
        raise UserError(
            "--coordinator, --processes and --process belong together: give all of them, or "
            "--distributed alone on a TPU pod, under SLURM, on GKE or under Open MPI."
        )
    if coordinator and not re.fullmatch(r".+:\d+", coordinator):
        raise UserError(
            f"--coordinator is {coordinator!r}; expected HOST:PORT, such as 10.0.0.2:1234."
        )
    try:
        if coordinator:
            jax.distributed.initialize(coordinator, processes, process, initialization_timeout=WAIT)
        else:
            jax.distributed.initialize(initialization_timeout=WAIT)
    except ValueError as error:
        raise UserError(
            f"The other processes of this run were not found ({error}). --distributed is for a TPU "
            "pod, SLURM, GKE and Open MPI; elsewhere give --coordinator=HOST:PORT, --processes and "
            "--process. One machine needs none of them."
        ) from error
    console.quiet = jax.process_index() != 0  # one of them talks
