"""The clock every rule reads: injected, so that a test may stop it, jump it and live through years in a second."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session


class Clock(Protocol):
    """What tells the time: the system, or a test."""

    def now(self) -> datetime:
        """The moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)
        self.ears: list[Callable[[], None]] = []
        """Called whenever it was put elsewhere."""

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """Put it at an aware moment."""
        self._at = at.astimezone(UTC)
        for ear in self.ears:
            ear()

    def advance(self, by: timedelta) -> None:
        """Let time pass (or, below 0, go back)."""
        self.set(self._at + by)


def now(session: Session) -> datetime:
    """The moment by the clock that the session's store was given."""
    clock: Clock = session.info["clock"]
    return clock.now()


def today(session: Session, zone: str) -> date:
    """The calendar day it is now in the time zone `zone` (an IANA name)."""
    return now(session).astimezone(ZoneInfo(zone)).date()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment a calendar day begins in a time zone."""
    return datetime.combine(day, time(), zone)


def day_began(session: Session, zone: str) -> datetime:
    """The moment the calendar day began that it is now in the time zone `zone` (an IANA name)."""
    return midnight(today(session, zone), ZoneInfo(zone))
