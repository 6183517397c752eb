"""FLOPs of a program, counted from what it was traced to: its matrix products and convolutions.

An XLA program does not tell: it counts the body of a loop once, whatever the number of rounds. All
else (norms, softmax, the optimizer) is left out, as is usual; what is computed twice to save memory
is counted twice.
"""

import math
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, jaxprs_in_params


def flops(program: ClosedJaxpr, rounds: int = 1) -> int:
    """Multiplications and additions of a program, on all devices together.

    Args:
      program: `jax.jit(function).trace(*args).jaxpr`.
      rounds: of each loop that ends when it pleases (`while_loop`).
    """
    return _of(program.jaxpr, rounds)


def _of(jaxpr: Jaxpr, rounds: int) -> int:
    return sum(_of_equation(equation, rounds) for equation in jaxpr.eqns)


def _of_equation(equation: JaxprEqn, rounds: int) -> int:
    params = equation.params
    match equation.primitive.name:
        case "dot_general":
            return _of_product(equation)
        case "conv_general_dilated":
            return _of_convolution(equation)
        case "cond":
            return max(_of(branch.jaxpr, rounds) for branch in params["branches"])
        case "scan":
            times = params["length"]
        case "while":
            times = rounds
        case "shard_map":
            name = "manual_axes" if "manual_axes" in params else "newly_manual_axes"  # by version
            times = math.prod(params["mesh"].shape[axis] for axis in params[name])
        case _:
            times = 1
    return times * sum(_of(inner, rounds) for inner in jaxprs_in_params(params))


def _of_product(equation: JaxprEqn) -> int:
    (over, _), _ = equation.params["dimension_numbers"]
    left = _shape(equation.invars[0])
    return 2 * math.prod(_shape(equation.outvars[0])) * math.prod(left[axis] for axis in over)


def _of_convolution(equation: JaxprEqn) -> int:
    """Each output is a sum over a window and the inputs of its group."""
    kernel = _shape(equation.invars[1])
    _, inputs, *window = equation.params["dimension_numbers"].rhs_spec
    each = math.prod(kernel[axis] for axis in (inputs, *window))
    return 2 * math.prod(_shape(equation.outvars[0])) * each


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape
