"""The do-not-call list: phone numbers that no advertising may come to (khongquangcao.ais.gov.vn, Decree 91/2020). The shop
brings it as a file; it holds wherever somebody is reached by their number, whatever they agreed to.
"""

from collections.abc import Generator, Sequence
from datetime import datetime

from sqlalchemy import Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers.customers import customers
from store import audit
from store.base import Base, UtcTime, raw, table, to_micros
from store.clock import now

BATCH = 2_000
BY_PHONE = frozenset({"sms", "zns"})
"""Messengers that go to a phone number. On the others somebody wrote to the shop first, under a name of their own."""


class NumberRow(Base):
    __tablename__ = "do_not_call"

    phone: Mapped[str] = mapped_column(Text, primary_key=True)
    """E.164."""
    at: Mapped[datetime] = mapped_column(UtcTime)


numbers = table(NumberRow)


def replace(session: Session, phones: Sequence[str], shop_id: int, actor: str) -> Generator[int, None, None]:
    """Take a new list in the place of the one before, some thousands in a commit; yields how many so far. For
    `store.stream`. A number that stands on both holds all the while.
    """
    before, at = size(session), now(session)
    for start in range(0, len(phones), BATCH):
        part = phones[start : start + BATCH]
        marks = ", ".join(["(?, ?)"] * len(part))
        values = [value for phone in part for value in (phone, to_micros(at))]
        sql = f"INSERT INTO do_not_call (phone, at) VALUES {marks} ON CONFLICT (phone) DO UPDATE SET at = excluded.at"  # noqa: S608
        raw(session, sql, values)
        yield start + len(part)
    session.execute(delete(numbers).where(numbers.c.at != at))
    audit.record(session, actor, "do_not_call_changed", shop_id, changed={"numbers": [before, size(session)]})
    yield len(phones)


def size(session: Session) -> int:
    """How many numbers are on it."""
    return session.execute(select(func.count()).select_from(numbers)).scalar_one()


def brought(session: Session) -> datetime | None:
    """When it was last brought; None where there is none."""
    return session.execute(select(func.max(numbers.c.at))).scalar()


def among(session: Session, customer_ids: Sequence[int]) -> set[int]:
    """Those of these customers whose number is on it."""
    c = customers.c
    found = select(c.id).join(numbers, numbers.c.phone == c.phone).where(c.id.in_(customer_ids))
    return set(session.execute(found).scalars())
