"""Attempts: wrong codes counted per person, key or cashier, so that guessing is hopeless on any number of replicas."""

from datetime import datetime, timedelta

from sqlalchemy import Text, case, delete, literal, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, table, upsert
from store.clock import now
from store.errors import RuleError

WRONG_MAX = 20
WINDOW = timedelta(minutes=1)


class AttemptRow(Base):
    __tablename__ = "attempts"

    actor: Mapped[str] = mapped_column(Text, primary_key=True)
    """Who guesses: `customer:7`, `key:2`, `staff:4`."""
    since: Mapped[datetime] = mapped_column(UtcTime, index=True)
    """The first wrong one of the minute that counts."""
    wrong: Mapped[int]


class TooManyError(RuleError):
    """Too many wrong codes; in `seconds` the next may be tried."""

    code = "too_many"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


attempts = table(AttemptRow)


def guard(session: Session, actor: str) -> None:
    """To be called before a code is looked at. Raises TooManyError after 20 wrong ones within a minute."""
    row = session.execute(select(attempts.c.since, attempts.c.wrong).where(attempts.c.actor == actor)).first()
    if row is None or row.wrong < WRONG_MAX:
        return
    left = row.since + WINDOW - now(session)
    if left > timedelta(0):
        raise TooManyError(int(left.total_seconds()) + 1)


def wrong(session: Session, actor: str) -> None:
    """Count a wrong code. Whoever refuses a code returns the refusal and doesn't raise it: the count must stay.

    Raises TooManyError where others used up the minute's tries since `guard` looked.
    """
    moment = now(session)
    over = attempts.c.since <= moment - WINDOW
    counted = session.execute(
        upsert(session, attempts)
        .values(actor=actor, since=moment, wrong=1)
        .on_conflict_do_update(
            index_elements=["actor"],
            set_={
                "since": case((over, literal(moment, UtcTime())), else_=attempts.c.since),
                "wrong": case((over, 1), else_=attempts.c.wrong + 1),
            },
            where=or_(over, attempts.c.wrong < WRONG_MAX),
        )
        .returning(attempts.c.wrong)
    ).first()
    if counted is None:
        raise TooManyError(int(WINDOW.total_seconds()))


def prune(session: Session) -> int:
    """Forget the counts whose minute is over; how many. For the clock."""
    gone = delete(attempts).where(attempts.c.since <= now(session) - WINDOW).returning(attempts.c.actor)
    return len(session.execute(gone).all())
