"""Where a one-time code goes out. The default has no gateway: it only notes in the log, by the masked number, that a code
could not be sent. An SMS gateway is another function of this shape.
"""

from typing import Protocol

import structlog

from loyalty.customers import phones

log = structlog.get_logger()


class CodeChannel(Protocol):
    """What brings codes to phones. It is called after the commit and must not block: it starts the sending, no more."""

    def __call__(self, phone: str, code: str) -> None:
        """Bring a code to an E.164 number, soon."""
        ...


def to_log(phone: str, code: str) -> None:  # noqa: ARG001  # the code itself is a secret and stays out of the log
    """No gateway is set up: say so, without the code."""
    log.warning("no SMS gateway is set up: a code could not be sent", phone=phones.masked(phone))
