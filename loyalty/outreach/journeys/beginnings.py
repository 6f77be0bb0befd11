"""Beginnings: journeys begun for customers, by what happens to them and by the calendar of each shop's morning."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from loyalty import rounds
from loyalty.customers import customers
from loyalty.outreach.journeys import entries, journeys, runs, triggers
from loyalty.outreach.journeys.journeys import Journey
from loyalty.rounds import Round
from store import events
from store.clock import now
from store.events import Happened

FOLLOWER = "journeys"
HOUR = 8
"""Of the shop's morning, when the calendar begins journeys."""
PAGE = 200


def hear_due(session: Session) -> int:
    """Begin the journeys that some new events begin; how many events that were. For the clock."""
    if not events.any_new(session, FOLLOWER):
        return 0
    events.number(session)
    heard = events.follow(session, FOLLOWER)
    for journey in journeys.switched_on(session) if heard else ():
        runs.begin(session, journey, list(_met(session, journey, heard)))
    return len(heard)


def _met(session: Session, journey: Journey, heard: Sequence[Happened]) -> Iterator[tuple[int, str, datetime]]:
    """Whom some events begin a journey for: customer, occurrence and moment. What happened at no shop in particular (somebody
    joined) happened at the customer's home shop; at all of them, where they have none.
    """
    known = triggers.TRIGGERS[journey.trigger["kind"]]
    for event in heard:
        if event.kind != known.event or known.occurs is None or event.customer_id is None:
            continue
        if event.shop_id not in {None, journey.shop_id} or (journey.on_since and event.at < journey.on_since):
            continue
        who = customers.resolve(session, event.customer_id)
        if event.shop_id is None and customers.get(session, who).home_shop_id not in {None, journey.shop_id}:
            continue
        occurrence = known.occurs(session, event, journey.trigger)
        if occurrence is not None:
            yield who, occurrence, event.at


def calendar_due(session: Session) -> int:
    """Begin some of the journeys that today begins; 0 when all are begun. For the clock."""
    return rounds.go_on(session, "journeys", HOUR, _calendar)


def _calendar(session: Session, at: Round) -> str | None:
    """A page of a journey's next day that wasn't begun yet. The days that the program missed are begun too, each as of its
    own morning, up to `CATCH_UP_DAYS`.
    """
    journey_id, after = (int(part) for part in at.place.split(":")) if at.place else (0, 0)
    zone = ZoneInfo(at.shop.timezone)
    for journey in journeys.switched_on(session, at.shop.id):
        known = triggers.TRIGGERS[journey.trigger["kind"]]
        day = _next_day(journey, at.day, zone)
        if known.event is not None or day > at.day:
            continue
        if journey.id != journey_id:
            after = 0
        if known.enters:
            # Who was in a segment on a day that is over is not known.
            day = at.day
        moment = datetime.combine(day, time(HOUR), zone).astimezone(now(session).tzinfo)
        if known.day is not None:
            page = _page(session, known.day(session, journey.trigger, day, at.shop), after)
            following = page[-1][0] if page else None
        else:
            segment = (journey.trigger["segment"], at.shop.id)
            page, following = entries.look(session, journey.id, segment, zone.key, day, after)
            if journey.calendar_day is None:
                # The first look: they were in it before.
                page = []
        runs.begin(session, journey, [(who, occurrence, moment) for who, occurrence in page])
        if following is None:
            journeys.calendar_begun(session, journey.id, day)
        return f"{journey.id}:{following or 0}"
    return None


def _next_day(journey: Journey, today: date, zone: ZoneInfo) -> date:
    """The day of the calendar that a journey begins next: none from before it was on, nor long past ones."""
    days = [today - timedelta(days=triggers.CATCH_UP_DAYS - 1)]
    if journey.calendar_day is not None:
        days.append(date.fromisoformat(journey.calendar_day) + timedelta(days=1))
    if journey.on_since is not None:
        since = journey.on_since.astimezone(zone)
        days.append(since.date() + timedelta(days=since.hour >= HOUR))
    return max(days)


def _page(session: Session, found: Select[Any], after: int) -> list[tuple[int, str]]:
    """All occurrences of the next customers."""
    those = found.subquery()
    who, occurrence = those.c[0], those.c[1]
    ids = session.execute(select(who).where(who > after).distinct().order_by(who).limit(PAGE)).scalars().all()
    if not ids:
        return []
    rows = session.execute(select(who, occurrence).where(who > after, who <= ids[-1]).order_by(who))
    return [(row[0], str(row[1])) for row in rows]
