"""Pending: which question of ours a customer hasn't answered yet, so that free words can answer it too."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from store.clock import now
from support import tickets
from support.complaints import loop
from support.feedback.asking import requests
from support.feedback.surveys import State, surveys
from support.ratings import ratings

FRESH = timedelta(days=3)
"""Afterwards a bare number is no answer any more; buttons go on working."""
CHECK, RATING = "check", "rating"


@dataclass(frozen=True, slots=True)
class Question:
    """`kind` is check, rating, nps or effort; `id` the ticket, of the last two the survey."""

    kind: str
    id: int
    at: datetime


def question(session: Session, customer_id: int) -> Question | None:
    """The newest question that waits for an answer."""
    owner = customers.resolve(session, customer_id)
    since = now(session) - FRESH
    found = []
    checked = loop.awaited(session, owner)
    if checked is not None and checked.asked_at is not None:
        found.append(Question(CHECK, checked.ticket_id, checked.asked_at))
    t, s = tickets.tickets.c, surveys.c
    asked = session.execute(
        select(t.id, requests.c.asked_at)
        .join(requests, requests.c.ticket_id == t.id)
        .outerjoin(ratings, ratings.c.ticket_id == t.id)
        .where(t.customer_id == owner, requests.c.asked_at > since, ratings.c.ticket_id.is_(None))
        .order_by(requests.c.asked_at.desc())
        .limit(1)
    ).first()
    if asked is not None:
        found.append(Question(RATING, asked.id, asked.asked_at))
    survey = session.execute(
        select(s.kind, s.id, s.asked_at)
        .where(s.customer_id == owner, s.state == State.ASKED.value, s.asked_at > since)
        .order_by(s.asked_at.desc())
        .limit(1)
    ).first()
    if survey is not None:
        found.append(Question(*survey))
    return max(found, key=lambda one: one.at, default=None)
