"""The demo's past: rules run as if it were another moment."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from store.clock import SetClock

T = TypeVar("T")


def as_of(session: Session, moment: datetime, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Run a rule as if it were that moment."""
    clock = session.info["clock"]
    session.info["clock"] = SetClock(moment)
    try:
        return rule(session, *args, **kwargs)
    finally:
        session.info["clock"] = clock
