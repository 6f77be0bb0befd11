"""Asking: what customers asked in the chat, what they were answered with and whether it helped.

The bot answers while nobody looks after the person. Once an article did not help, the case is a colleague's: until that
ticket is closed no article is offered again. What found nothing and what did not help is what the shop has yet to write.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, Text, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import NotFoundError
from store.staff import Member, Right
from support.answers import articles, matching, rendering
from support.answers.articles import Article
from support.answers.matching import Entry
from support.tickets import State, tickets

QUESTION_CHARS_MAX = 500
GAP_LETTERS_MIN = 4
"""Who says less ("ok", "hmm") has not asked for anything."""


class QuestionRow(Base):
    """A question of a customer; it may have found no article."""

    __tablename__ = "questions"
    __table_args__ = (
        Index("ix_questions_shop", "shop_id", "at"),
        Index("ix_questions_customer", "customer_id", "id"),
        Index("ix_questions_article", "article_id", "helped"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int]
    customer_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    text: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    """The same for questions that ask for the same; see matching.key."""
    article_id: Mapped[int | None]
    helped: Mapped[bool | None]
    """What the customer said of the answer; nothing yet."""
    ticket_id: Mapped[int | None]
    """The ticket that was opened with it."""
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When the shop put it aside as not worth an article."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An article for a question, in the customer's language."""

    question_id: int
    article_id: int
    title: str
    body: str
    """Markdown."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions that ask for the same and were not answered: how often, by how many, the last of them in its words.
    `unhelped` of them found an article that did not help.
    """

    key: str
    text: str
    times: int
    people: int
    unhelped: int
    article_id: int | None
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """How an article has done."""

    shown: int
    helped: int
    unhelped: int


questions = table(QuestionRow)


# ── In the chat ────────────────────────────────────────────────────────────────────────────────────


def answer(session: Session, customer_id: int, shop_id: int, text: str, language: str) -> Answer | None:
    """The article that answers a customer's words, noted down with them; None where none does, which is noted where they
    asked something.
    """
    if not text.strip() or not matching.asks(text) or not may_answer(session, customer_id):
        return None
    shelf = articles.published(session, shop_id)
    found = matching.best(text, [entry_of(one) for one in shelf])
    key = matching.key(text)
    if found is None and len(key) < GAP_LETTERS_MIN:
        return None
    number = int(
        session.execute(
            insert(questions)
            .values(
                shop_id=shop_id, customer_id=customer_id, at=now(session), text=text[:QUESTION_CHARS_MAX],
                key=key, article_id=found.id if found else None,
            )
            .returning(questions.c.id)
        ).scalar_one()
    )  # fmt: skip
    if found is None:
        return None
    title, body = next(one for one in shelf if one.id == found.id).wording.told(language)
    return Answer(number, found.id, title, body)


def entry_of(article: Article) -> Entry:
    """An article as it is looked for."""
    wording = article.wording
    titles = [wording.titles[tongue] for tongue in articles.LANGUAGES if wording.titles.get(tongue)]
    body = "\n".join(rendering.plain(text) for text in wording.bodies.values() if text)
    return Entry(article.id, (*titles, *wording.asked), body)


def may_answer(session: Session, customer_id: int) -> bool:
    """Whether articles may be offered to a customer: not while a case that one did not solve is anywhere but closed."""
    case_goes_on = exists().where(
        questions.c.customer_id == customer_id, questions.c.helped.is_(False),
        tickets.c.id == questions.c.ticket_id, tickets.c.state != State.CLOSED,
    )  # fmt: skip
    return not session.execute(select(case_goes_on)).scalar_one()


def helped(session: Session, question_id: int, customer_id: int, *, yes: bool) -> str | None:
    """What the customer says of the answer: their question's words; None where they had said so before, for the first
    word counts. Raises NotFoundError where the question is not theirs.
    """
    row = session.execute(
        select(questions.c.customer_id, questions.c.helped, questions.c.text)
        .where(questions.c.id == question_id, questions.c.article_id.is_not(None))
        .with_for_update()
    ).first()
    if row is None or row.customer_id != customer_id:
        raise NotFoundError("question", question_id)
    if row.helped is not None:
        return None
    session.execute(update(questions).where(questions.c.id == question_id).values(helped=yes))
    return str(row.text)


def went_on(session: Session, question_id: int, ticket_id: int) -> None:
    """The question became a ticket, or a part of one."""
    session.execute(update(questions).where(questions.c.id == question_id).values(ticket_id=ticket_id))


# ── For the shop ───────────────────────────────────────────────────────────────────────────────────


def gaps(session: Session, shop_id: int, within: timedelta = timedelta(days=90), limit: int = 100) -> list[Gap]:
    """What people ask and find nothing, the most asked first."""
    q = questions.c
    mine = (q.shop_id == shop_id, q.at > now(session) - within, q.settled_at.is_(None), q.text != "",
            or_(q.article_id.is_(None), q.helped.is_(False)))  # fmt: skip
    rows = session.execute(
        select(
            q.key, func.count().label("times"), func.count(q.customer_id.distinct()).label("people"),
            func.sum(case((q.helped.is_(False), 1), else_=0)).label("unhelped"),
            func.max(q.article_id).label("article_id"), func.max(q.id).label("last"), func.max(q.at).label("last_at"),
        )
        .where(*mine).group_by(q.key).order_by(func.count().desc(), func.max(q.id).desc()).limit(limit)
    ).all()  # fmt: skip
    last = session.execute(select(q.id, q.text).where(q.id.in_([row.last for row in rows])))
    said = {row.id: row.text for row in last}
    return [
        Gap(row.key, said[row.last], row.times, row.people, int(row.unhelped), row.article_id, row.last_at)
        for row in rows
    ]


def put_aside(session: Session, shop_id: int, member: Member, key: str) -> int:
    """Take a gap off the list, as it stands: questions to come count anew. How many questions that were. Raises
    ForbiddenError.
    """
    member.need(Right.CONSOLE, shop_id)
    found = session.execute(
        update(questions)
        .where(questions.c.shop_id == shop_id, questions.c.key == key, questions.c.settled_at.is_(None))
        .values(settled_at=now(session))
    )
    return int(found.rowcount)  # type: ignore[attr-defined]


def scores(session: Session, shop_id: int) -> dict[int, Score]:
    """How each article has done, by its number."""
    q = questions.c
    rows = session.execute(
        select(
            q.article_id, func.count(), func.sum(case((q.helped.is_(True), 1), else_=0)),
            func.sum(case((q.helped.is_(False), 1), else_=0)),
        )
        .where(q.shop_id == shop_id, q.article_id.is_not(None)).group_by(q.article_id)
    )  # fmt: skip
    return {number: Score(shown, int(yes), int(no)) for number, shown, yes, no in rows}


# ── The customer's own ─────────────────────────────────────────────────────────────────────────────


def record(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """What a customer asked, for their own copy."""
    rows = session.execute(
        select(questions.c.at, questions.c.text, questions.c.helped)
        .where(questions.c.customer_id == customer_id)
        .order_by(questions.c.id)
    )
    return [{"at": row.at.isoformat(), "text": row.text, "helped": row.helped} for row in rows]


def forget(session: Session, customer_ids: list[int]) -> None:
    """Delete what they asked; how an article did then counts without them."""
    session.execute(delete(questions).where(questions.c.customer_id.in_(customer_ids)))


def _move(session: Session, from_id: int, to_id: int) -> None:
    """Questions go along when two customers become one."""
    session.execute(update(questions).where(questions.c.customer_id == from_id).values(customer_id=to_id))


claims.MOVES.append(_move)
