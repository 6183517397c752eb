"""How long a connection may take to say what it wants."""

from collections.abc import Iterable
from typing import Any


class Patience:
    """Closes connections on which the head of a request does not come to its end in time.

    A request's own time begins with its end, and uvicorn limits only how long a connection is idle
    after an answer: a client that sends a header a minute would keep its connection for ever.
    """

    def __init__(self, seconds: float):
        """Be patient.

        Args:
          seconds: that a head may take, from the connection or, after an answer, its first byte.
        """
        self._seconds = seconds
        self._since: dict[Any, float] = {}

    def look(self, connections: Iterable[Any], now: float) -> None:
        """Close those that have had their time.

        Args:
          connections: all that there are, as uvicorn's server keeps them.
          now: seconds, by a clock that only goes forward.
        """
        waits = [each for each in connections if _is_without_request(each)]
        self._since = {each: self._since.get(each, now) for each in waits}
        for each, since in self._since.items():
            if now - since > self._seconds:
                each.transport.close()


def _is_without_request(connection: Any) -> bool:
    """Nothing is being answered, nor is it idle after an answer, which uvicorn times itself."""
    answered = connection.cycle is None or connection.cycle.response_complete
    return answered and connection.timeout_keep_alive_task is None
