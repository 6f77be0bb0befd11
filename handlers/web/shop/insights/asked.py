"""Asked: over which days, and of which group of people, somebody wants to see insights; as the address says it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web.shop import frame
from handlers.web.shop.frame import Frame
from loyalty.insights import scope
from loyalty.insights.scope import Scope
from loyalty.outreach.segments import criteria, saved, segments
from loyalty.outreach.segments.saved import Segment
from store.clock import today

PERIODS = (30, 90, 365)
USUAL = 90
DAYS_MAX = 1_100


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for; days that can't be are None, then the last `USUAL` are shown."""

    days: int | None
    first: date | None
    last: date | None
    segment: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """What is shown: the scope, the group it is narrowed down to, the groups there are, the shop's today."""

    scope: Scope
    segment: Segment | None
    segments: list[Segment]
    today: date

    def query(self) -> dict[str, Any]:
        """As it stands in an address."""
        days: dict[str, Any] = {"from": self.scope.first.isoformat(), "to": self.scope.last.isoformat()}
        if self.scope.last == self.today and self.scope.days in PERIODS:
            days = {"days": self.scope.days}
        return days | {"segment": self.segment.id if self.segment else None}


def read(request: web.Request) -> Asked:
    """What the address asks for. Raises NotFoundError (a group whose number can't be)."""
    query = request.query
    days = next((one for one in PERIODS if query.get("days") == str(one)), None)
    first = last = None
    with suppress(KeyError, ValueError):
        first, last = (date.fromisoformat(query[name]) for name in ("from", "to"))
    group = query.get("segment", "")
    return Asked(days, first, last, frame.whole(group) if group else None)


def place(session: Session, here: Frame, asked: Asked) -> Place:
    """The scope that is asked for. Raises NotFoundError."""
    now = today(session, here.shop.timezone)
    first, last = now - timedelta(days=(asked.days or USUAL) - 1), now
    if asked.days is None and asked.first is not None and asked.last is not None:
        fits = (
            asked.first <= asked.last <= now and (asked.last - asked.first).days < DAYS_MAX and asked.first.year >= 2000
        )
        first, last = (asked.first, asked.last) if fits else (first, last)
    segment = saved.get(session, asked.segment, here.shop.id) if asked.segment is not None else None
    who = segments.fitting(session, criteria.parse(segment.criteria), here.shop.timezone) if segment else None
    return Place(
        scope.of(session, here.shop.id, first, last, who), segment, saved.of_shop(session, here.shop.id), now
    )  # fmt: skip
