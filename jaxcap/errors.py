"""Errors that are for people."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that its user can mend: what is wrong, where, what was expected, what to do.

    The entry points print it as one message without a traceback and exit with code 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest of the `known` names, and all of them where none is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
