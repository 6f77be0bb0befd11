"""Surveys: now and then, whether somebody would recommend the shop (NPS, 0 to 10), how easy it was to get help (1 to 5), and
whether an order was all right (1 or 0). What is to be asked, and when, is decided in `planning`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims, customers
from store import events
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from support import tickets
from support.feedback import terms
from support.tickets import Ticket

COMMENT_CHARS_MAX = 1_000
SCALES = {"nps": (0, 10), "effort": (1, 5), "order": (0, 1)}


class Kind(StrEnum):
    NPS = "nps"
    EFFORT = "effort"
    """5 is very easy."""
    ORDER = "order"
    """1: all was well."""


class State(StrEnum):
    WAITING = "waiting"
    ASKED = "asked"
    ANSWERED = "answered"
    DROPPED = "dropped"


_WAITING = text("state = 'waiting'")


class SurveyRow(Base):
    __tablename__ = "surveys"
    __table_args__ = (
        UniqueConstraint("kind", "ticket_id"),
        UniqueConstraint("kind", "order_id"),
        Index("ix_surveys_due", "due_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_surveys_customer", "customer_id", "kind", "due_at"),
        Index("ix_surveys_shop", "shop_id", "kind", "asked_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    """The case it is about; empty after an order."""
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    """The order that it asks about."""
    staff_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    asked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    score: Mapped[int | None]
    comment: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Survey:
    """See SurveyRow."""

    id: int
    kind: str
    customer_id: int
    shop_id: int
    ticket_id: int | None
    order_id: int | None
    staff_id: int | None
    state: str
    asked_at: datetime | None
    score: int | None
    comment: str


class AnsweredError(ConflictError):
    """It has its answer."""

    code = "survey_answered"


surveys = table(SurveyRow)
_FIELDS = tuple(surveys.c[name] for name in Survey.__dataclass_fields__)


def add(
    session: Session,
    kind: Kind,
    customer_id: int,
    shop_id: int,
    state: State,
    *,
    due_at: datetime,
    ticket_id: int | None = None,
    order_id: int | None = None,
    asked_at: datetime | None = None,
) -> int:
    """Write down a question that is to be asked, or is asked now; its number."""
    staff_id = tickets.get(session, ticket_id).assignee_id if ticket_id is not None else None
    return int(
        session.execute(
            insert(surveys)
            .values(
                kind=kind.value, customer_id=customer_id, shop_id=shop_id, ticket_id=ticket_id, order_id=order_id,
                staff_id=staff_id, state=state.value, due_at=due_at, asked_at=asked_at, comment="",
            )
            .returning(surveys.c.id)
        ).scalar_one()
    )  # fmt: skip


def after_rating(session: Session, ticket: Ticket) -> int | None:
    """A case was rated: the number of the effort question to ask now, where the shop asks it; once for a case."""
    if not terms.of(session, ticket.shop_id).effort:
        return None
    at = now(session)
    known = (surveys.c.kind == Kind.EFFORT.value, surveys.c.ticket_id == ticket.id)
    if session.execute(select(surveys.c.id).where(*known)).first() is not None:
        return None
    whose = (ticket.customer_id, ticket.shop_id)
    return add(session, Kind.EFFORT, *whose, State.ASKED, ticket_id=ticket.id, due_at=at, asked_at=at)


def answer(session: Session, survey_id: int, customer_id: int, score: int) -> Survey:
    """A customer answers, once. Raises NotFoundError (not theirs), InvalidError, AnsweredError."""
    found = _own(session, survey_id, customer_id)
    low, high = SCALES[found.kind]
    if not low <= score <= high:
        raise InvalidError("score", "range", score)
    if found.state == State.ANSWERED:
        raise AnsweredError(str(found.score))
    session.execute(
        update(surveys)
        .where(surveys.c.id == survey_id)
        .values(score=score, state=State.ANSWERED.value, answered_at=now(session))
    )
    events.happened(
        session, "survey_answered", customer_id=found.customer_id, shop_id=found.shop_id, about=found.kind, score=score
    )
    return get(session, survey_id)


def comment(session: Session, survey_id: int, customer_id: int, words: str) -> None:
    """Add the words to an answer given without any. Raises NotFoundError, ConflictError where it has words."""
    found = _own(session, survey_id, customer_id)
    if found.comment or found.state != State.ANSWERED:
        raise ConflictError("commented")
    said = words.replace("\x00", "").strip()[:COMMENT_CHARS_MAX]
    session.execute(update(surveys).where(surveys.c.id == survey_id).values(comment=said))


def get(session: Session, survey_id: int) -> Survey:
    """A survey; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(surveys.c.id == survey_id)).first()
    if row is None:
        raise NotFoundError("survey", survey_id)
    return Survey(*row)


def _own(session: Session, survey_id: int, customer_id: int) -> Survey:
    row = session.execute(select(*_FIELDS).where(surveys.c.id == survey_id).with_for_update()).first()
    owner = customers.resolve(session, customer_id)
    if row is None or customers.resolve(session, row.customer_id) != owner or row.state == State.WAITING:
        raise NotFoundError("survey", survey_id)
    return Survey(*row)


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry surveys over to another customer in a merge."""
    session.execute(update(surveys).where(surveys.c.customer_id == from_id).values(customer_id=to_id))


def forget(session: Session, customer_ids: Sequence[int]) -> None:
    """Take the words out of customers' answers."""
    mine = surveys.c.customer_id.in_(customer_ids)
    session.execute(update(surveys).where(mine).values(comment=""))
    session.execute(
        update(surveys).where(mine, surveys.c.state == State.WAITING.value).values(state=State.DROPPED.value)
    )


def of_customer(session: Session, customer_id: int) -> Sequence[Survey]:
    """What a customer was asked, oldest first."""
    rows = session.execute(select(*_FIELDS).where(surveys.c.customer_id == customer_id).order_by(surveys.c.id))
    return [Survey(*row) for row in rows]


claims.MOVES.append(move)
