"""Deliveries: what each webhook is told, one row for each thing that happened.

    waiting -> delivered | dead             (and back to waiting by a replay)

A delivery is written in the work that moves the cursor over the events on, so each endpoint is told of an event once,
whatever dies in between. The sender posts what is due and writes how it ended; one that dies with a post in flight posts
again under the same name, by which the receiver knows it. Retries go on for about a day.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, delete, func, insert, literal, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, raw, table, to_micros
from store.clock import now
from store.errors import NotFoundError
from store.events import Happened, follow, number
from store.signals import signal
from store.webhooks import EVERY, FIELDS, TOPIC, Endpoint, Off, endpoints, get

FOLLOWER = "webhooks"
PING = "ping"
ANSWER_CHARS_MAX = 300
WAITS = tuple(timedelta(minutes=minutes) for minutes in (0.25, 0.5, 2, 5, 15, 30, 60, 120, 240, 360, 600))
"""Before the second try, the third …: 24 hours in all, then a delivery is dead."""
JITTER = 0.2
"""A wait is up to so much of itself shorter or longer, so that endpoints that failed together don't come back together."""
WAIT_MAX = timedelta(hours=6)
"""The longest `Retry-After` that is listened to."""
GIVE_UP = timedelta(hours=20)
"""An endpoint that has answered nothing well for so long when a delivery dies is switched off."""
KEPT = timedelta(days=30)


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class DeliveryRow(Base):
    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "name"),
        Index(
            "ix_webhook_deliveries_due", "endpoint_id", "due_at",
            sqlite_where=text("state = 'waiting'"), postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_webhook_deliveries_done", "done_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    """What the receiver tells repetitions by: the same for one event and kind, whenever it comes."""
    kind: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    """JSON, as it is signed and posted."""
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    attempts: Mapped[int]
    tries: Mapped[int]
    """Attempts since it was written or replayed last: what the waits go by."""
    status: Mapped[int | None]
    """The last HTTP status."""
    error: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)
    """How the last answer's body began."""
    millis: Mapped[int | None]
    done_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    endpoint_id: int
    name: str
    kind: str
    body: str
    state: str
    created_at: datetime
    due_at: datetime
    attempts: int
    status: int | None
    error: str | None
    answer: str | None
    millis: int | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Post:
    """What the sender needs to post a delivery."""

    id: int
    endpoint_id: int
    url: str
    secrets: tuple[str, ...]
    """Sealed, the newest first."""
    name: str
    body: str
    tries: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one post ended: the status that came, or the error that kept it from coming (a stable word)."""

    status: int | None = None
    error: str | None = None
    answer: str = ""
    millis: int = 0
    retry_after: float | None = None
    """Seconds that the receiver asked for."""

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that an event tells outside: its public kind and facts."""

    kind: str
    data: Mapping[str, Any]


deliveries = table(DeliveryRow)
_DELIVERY = tuple(deliveries.c[name] for name in Delivery.__dataclass_fields__)


def take(session: Session, tell: Callable[[Happened], Sequence[Told]]) -> int:
    """Write a delivery for each endpoint and each thing that the next events tell; how many events that were."""
    number(session)
    happened = follow(session, FOLLOWER)
    if not happened:
        return 0
    listening = session.execute(select(*FIELDS).where(endpoints.c.off.is_(None)).order_by(endpoints.c.id)).all()
    rows = [
        _row(Endpoint(*endpoint), event, told)
        for event in happened if listening
        for told in tell(event)
        for endpoint in listening
        if _hears(Endpoint(*endpoint), event, told.kind)
    ]  # fmt: skip
    _write(session, rows)
    return len(happened)


def _hears(endpoint: Endpoint, event: Happened, kind: str) -> bool:
    """What concerns no one shop (two customers became one, say) is told to all of them."""
    return (
        event.at >= endpoint.created_at
        and event.shop_id in {None, endpoint.shop_id}
        and (kind in endpoint.kinds or EVERY in endpoint.kinds)
    )


def _row(endpoint: Endpoint, event: Happened, told: Told) -> dict[str, Any]:
    name = f"{event.id}.{told.kind}"
    body = {
        "id": name, "type": told.kind, "timestamp": event.at.isoformat().replace("+00:00", "Z"), "shop": event.shop_id,
        "customer_id": event.customer_id, "data": dict(told.data),
    }  # fmt: skip
    return {
        "endpoint_id": endpoint.id, "name": name, "kind": told.kind,
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    }  # fmt: skip


def _write(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    at = now(session)
    common = {"state": State.WAITING.value, "created_at": at, "due_at": at, "attempts": 0, "tries": 0}
    session.execute(insert(deliveries), [row | common for row in rows])
    signal(session, TOPIC)


def ping(session: Session, endpoint_id: int, shop_id: int, name: str) -> int:
    """Write a delivery of the kind `ping`, by which a receiver is tried out; its number. Raises NotFoundError."""
    endpoint = get(session, endpoint_id, shop_id)
    event = Happened(0, now(session), PING, None, shop_id, {}, 0)
    row = _row(endpoint, event, Told(PING, {}))
    body = json.loads(row["body"]) | {"id": name}
    _write(session, [row | {"name": name, "body": json.dumps(body, separators=(",", ":"))}])
    made = select(deliveries.c.id).where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.name == name)
    return int(session.execute(made).scalar_one())


def any_due(session: Session) -> bool:
    """Whether a delivery's time has come: a look that costs nothing."""
    return bool(
        raw(
            session,
            "SELECT 1 FROM webhook_deliveries d JOIN webhooks w ON w.id = d.endpoint_id "
            "WHERE d.state = 'waiting' AND d.due_at <= ? AND w.off IS NULL LIMIT 1",
            (to_micros(now(session)),),
        )
    )


def due(session: Session, busy: Mapping[int, AbstractSet[int]], each: int) -> list[Post]:
    """What is to be posted now. `busy`: the deliveries in flight, by endpoint; no endpoint gets more than `each` at once,
    and one that fails gets one at a time: it waits for itself, not the others for it.
    """
    found: list[Post] = []
    moment = now(session)
    d = deliveries.c
    for row in session.execute(
        select(
            endpoints.c.id,
            endpoints.c.url,
            endpoints.c.secret,
            endpoints.c.old_secret,
            endpoints.c.old_until,
            endpoints.c.failing_since,
        )
        .where(endpoints.c.off.is_(None))
        .order_by(endpoints.c.id)
    ).all():
        flying = busy.get(row.id, frozenset())
        room = (each if row.failing_since is None else 1) - len(flying)
        if room <= 0:
            continue
        waiting = session.execute(
            select(d.id, d.name, d.body, d.tries)
            .where(d.endpoint_id == row.id, d.state == State.WAITING.value, d.due_at <= moment)
            .order_by(d.due_at, d.id)
            .limit(room + len(flying))
        )
        both = row.old_secret is not None and row.old_until > moment
        secrets = (row.secret, row.old_secret) if both else (row.secret,)
        posts = [Post(one.id, row.id, row.url, secrets, *one[1:]) for one in waiting if one.id not in flying]
        found += posts[:room]
    return found


def ended(session: Session, delivery_id: int, outcome: Outcome, chance: float) -> State | None:
    """Write how a post ended, and when the next try is; where the delivery stands now. `chance` (0 to 1) is the jitter's.

    An endpoint is switched off when it says that it is gone, or when a delivery dies and nothing has reached it for long.
    """
    d = deliveries.c
    row = session.execute(select(d.endpoint_id, d.tries, d.state).where(d.id == delivery_id).with_for_update()).first()
    if row is None:
        return None
    moment = now(session)
    values: dict[str, Any] = {
        "attempts": d.attempts + 1, "tries": row.tries + 1, "status": outcome.status, "error": outcome.error,
        "answer": outcome.answer[:ANSWER_CHARS_MAX] or None, "millis": outcome.millis,
    }  # fmt: skip
    state = State(row.state)
    if outcome.good:
        state = State.DELIVERED
        values |= {"done_at": moment}
    elif state is State.WAITING and row.tries >= len(WAITS):
        state = State.DEAD
        values |= {"done_at": moment}
    elif state is State.WAITING:
        values["due_at"] = moment + _wait(row.tries, outcome, chance)
    session.execute(update(deliveries).where(d.id == delivery_id).values(state=state.value, **values))
    _count(session, row.endpoint_id, outcome, state, moment)
    return state


def _wait(tries: int, outcome: Outcome, chance: float) -> timedelta:
    wait = WAITS[tries] * (1 + JITTER * (2 * chance - 1))
    asked = timedelta(seconds=max(0.0, outcome.retry_after or 0.0))
    return max(wait, min(asked, WAIT_MAX))


def _count(session: Session, endpoint_id: int, outcome: Outcome, state: State, moment: datetime) -> None:
    """Keep how an endpoint does."""
    e = endpoints.c
    if outcome.good:
        well = update(endpoints).where(e.id == endpoint_id, e.failing_since.is_not(None))
        session.execute(well.values(failures=0, failing_since=None))
        return
    row = session.execute(
        update(endpoints)
        .where(e.id == endpoint_id)
        .values(failures=e.failures + 1, failing_since=func.coalesce(e.failing_since, literal(moment, UtcTime())))
        .returning(e.failing_since, e.off)
    ).first()
    if row is None or row.off is not None:
        return
    off = Off.GONE if outcome.status == 410 else None
    if state is State.DEAD and moment - row.failing_since >= GIVE_UP:
        off = Off.FAILING
    if off is not None:
        session.execute(update(endpoints).where(e.id == endpoint_id).values(off=off.value))


# ── Looked at, and sent again ──────────────────────────────────────────────────────────────────────


def page(
    session: Session, endpoint_id: int, limit: int, *, before: int | None = None, state: State | None = None
) -> list[Delivery]:
    """Deliveries of an endpoint, the newest first, those older than number `before`."""
    wanted = select(*_DELIVERY).where(deliveries.c.endpoint_id == endpoint_id).order_by(deliveries.c.id.desc())
    if before is not None:
        wanted = wanted.where(deliveries.c.id < before)
    if state is not None:
        wanted = wanted.where(deliveries.c.state == state.value)
    return [Delivery(*row) for row in session.execute(wanted.limit(limit))]


def find(session: Session, delivery_id: int, shop_id: int) -> Delivery:
    """A delivery of one of the shop's endpoints; raises NotFoundError."""
    row = session.execute(
        select(*_DELIVERY)
        .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .where(deliveries.c.id == delivery_id, endpoints.c.shop_id == shop_id)
    ).first()
    if row is None:
        raise NotFoundError("delivery", delivery_id)
    return Delivery(*row)


def counts(session: Session, endpoint_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """How many deliveries of each endpoint stand where."""
    found = {endpoint_id: {state.value: 0 for state in State} for endpoint_id in endpoint_ids}
    d = deliveries.c
    rows = session.execute(
        select(d.endpoint_id, d.state, func.count())
        .where(d.endpoint_id.in_(endpoint_ids))
        .group_by(d.endpoint_id, d.state)
    )
    for endpoint_id, state, count in rows:
        found[endpoint_id][state] = count
    return found


def replay(session: Session, delivery_id: int, shop_id: int) -> Delivery:
    """Post a delivery again now, under its old name, with all its retries before it. Raises NotFoundError."""
    find(session, delivery_id, shop_id)
    session.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(state=State.WAITING.value, due_at=now(session), tries=0, done_at=None)
    )
    signal(session, TOPIC)
    return find(session, delivery_id, shop_id)


def replay_dead(session: Session, endpoint_id: int, shop_id: int) -> int:
    """Post everything again that an endpoint never took; how much that is. Raises NotFoundError."""
    get(session, endpoint_id, shop_id)
    d = deliveries.c
    again = session.execute(
        update(deliveries)
        .where(d.endpoint_id == endpoint_id, d.state == State.DEAD.value)
        .values(state=State.WAITING.value, due_at=now(session), tries=0, done_at=None)
        .returning(d.id)
    ).all()
    signal(session, TOPIC)
    return len(again)


def prune(session: Session) -> None:
    """Drop deliveries that ended more than 30 days ago, or have waited so long for an endpoint that is off."""
    old = now(session) - KEPT
    session.execute(delete(deliveries).where(deliveries.c.done_at < old))
    session.execute(delete(deliveries).where(deliveries.c.state == State.WAITING.value, deliveries.c.created_at < old))
