"""Following the desks: which tickets the team's forum doesn't show as they are, and what is shown next.

It goes by the numbers of the desks' changes, as a page does, so it slows nobody down and misses nothing: what one look had
no room for the next one finds. What was said leaves first, how a topic looks (card, name) once nothing else waits, and then
as it stands at that moment, whatever happened in between.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from handlers.chat.forum_mirror import Settled, Showing
from loyalty.customers import customers
from store import events, forum, shops
from store.clock import now
from store.forum import Forum, Topic, topics
from store.outbox import Call, put
from support import tickets

NOTICED = 200
"""Changed tickets that are noticed at one look."""
LOOKED_AT = 10
"""Tickets that are looked at until one has something to show."""
COLORS = (7322096, 16766590, 13338331, 9367192, 16749490, 16478047)
"""The colours Telegram has for topics; a shop's topics have the same."""


log = structlog.get_logger()


# ── What changed ───────────────────────────────────────────────────────────────────────────────────


def any_changed(session: Session) -> bool:
    """Whether a ticket changed since the last look: a look that costs little."""
    t, d = tickets.tickets.c, forum.desks.c
    return any(
        session.execute(
            select(t.id)
            .where(t.shop_id == shop.id, t.changed > func.coalesce(select(d.seen).where(d.shop_id == shop.id).scalar_subquery(), 0))
            .limit(1)
        ).first()
        for shop in shops.every(session)
    )  # fmt: skip


def any_due(session: Session) -> bool:
    """Whether a topic is not as its ticket stands."""
    due = topics.c.behind_at.is_not(None) | (topics.c.undressed_at.is_not(None) & topics.c.thread.is_not(None))
    return session.execute(select(topics.c.ticket_id).where(due).limit(1)).first() is not None


def notice(session: Session) -> bool:
    """Note which tickets changed since the last look; whether there may be more. A ticket gets a topic while it is open."""
    group = forum.chosen(session)
    if group is None:
        return False
    more, t, c = False, tickets.tickets.c, customers.customers.c
    for shop in shops.every(session):
        seen = _seen(session, shop.id)
        rows = session.execute(
            select(t.id, t.changed, t.state, c.erased_at)
            .join(customers.customers, c.id == t.customer_id)
            .where(t.shop_id == shop.id, t.changed > seen)
            .order_by(t.changed)
            .limit(NOTICED)
        ).all()
        for row in rows:
            _note(
                session,
                group,
                row.id,
                wanted=row.state in tickets.ACTIVE and row.erased_at is None,
                color=COLORS[shop.id % len(COLORS)],
            )
        if rows:
            session.execute(update(forum.desks).where(forum.desks.c.shop_id == shop.id).values(seen=rows[-1].changed))
        more = more or len(rows) == NOTICED
    return more


def look_again(session: Session, after: int | None) -> int:
    """Something happened to customers since event `after` that the desks have no number for (an order, a gift): the cards of
    their open requests may be out of date. The last event there is.
    """
    t, e = tickets.tickets.c, events.events.c
    last = int(session.execute(select(func.max(e.id))).scalar() or 0)
    if after is None or last == after:
        return last
    whose = session.execute(
        select(e.customer_id).where(e.id > after, e.customer_id.is_not(None)).distinct().limit(NOTICED)
    ).scalars().all()  # fmt: skip
    theirs = select(t.id).where(t.customer_id.in_(whose), t.state.in_(tickets.ACTIVE))
    session.execute(
        update(topics)
        .where(topics.c.ticket_id.in_(theirs), topics.c.undressed_at.is_(None))
        .values(undressed_at=now(session))
    )
    return last


def _seen(session: Session, shop_id: int) -> int:
    seen = session.execute(
        select(forum.desks.c.seen).where(forum.desks.c.shop_id == shop_id).with_for_update()
    ).scalar()
    if seen is None:
        session.execute(insert(forum.desks).values(shop_id=shop_id, seen=0))
    return seen or 0


def _note(session: Session, group: Forum, ticket_id: int, *, wanted: bool, color: int) -> None:
    at = now(session)
    row = session.execute(
        select(topics.c.behind_at, topics.c.undressed_at).where(topics.c.ticket_id == ticket_id).with_for_update()
    ).first()
    if row is not None:
        session.execute(
            update(topics).where(topics.c.ticket_id == ticket_id)
            .values(behind_at=row.behind_at or at, undressed_at=row.undressed_at or at)
        )  # fmt: skip
    elif wanted:
        session.execute(
            insert(topics).values(
                ticket_id=ticket_id, chat=group.chat, thread=None, name="", color=color, shown=0, behind_at=at,
                undressed_at=None, card="", closed=False,
            )
        )  # fmt: skip


# ── What is shown next ─────────────────────────────────────────────────────────────────────────────


def show(session: Session, room: int, settled: Settled) -> list[Call]:
    """Queue what comes next, about `room` calls: of the ticket that waits longest; none where nothing can be shown now."""
    group = forum.chosen(session)
    if group is None or room <= 0:
        return []
    behind = _first(session, topics.c.behind_at)
    for topic in behind:
        if calls := _of(session, group, topic, lambda showing: showing.lines(room, settled)):
            return calls
    for topic in [] if behind else _first(session, topics.c.undressed_at, topics.c.thread.is_not(None)):
        if calls := _of(session, group, topic, lambda showing: showing.dress()):
            return calls
    return []


def _first(session: Session, since: ColumnElement[datetime | None], *where: ColumnElement[bool]) -> list[Topic]:
    """The topics that wait longest."""
    rows = session.execute(
        select(*forum.TOPIC_FIELDS).where(since.is_not(None), *where).order_by(since).limit(LOOKED_AT)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    return [Topic(*row) for row in rows]


def _of(session: Session, group: Forum, topic: Topic, act: Callable[[Showing], list[Call]]) -> list[Call]:
    """Queue what one ticket needs. One that fails is noted, and shown again when it changes; it holds up no other."""
    try:
        with session.begin_nested():
            calls = act(Showing(session, group, topic))
            if calls:
                put(session, calls)
    except DBAPIError:
        raise
    except Exception:
        log.exception("a ticket can't be shown in the forum", ticket=topic.ticket_id)
        session.execute(
            update(topics).where(topics.c.ticket_id == topic.ticket_id).values(behind_at=None, undressed_at=None)
        )
        return []
    return calls
