"""Consents: what a customer agreed to hear from the shop, for which purpose, on which messenger, and the proof of it.

Rows are only added; the newest one speaks. Advertising needs a yes, care goes until a no (Decree 91/2020, Law 91/2025).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from store import events
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError
from store.outbox import Purpose

PURPOSES = {"care": Purpose.CARE, "advertising": Purpose.ADVERTISING}
"""By the names that campaigns, journeys and forms give them."""
ASKED = tuple(PURPOSES.values())
"""The purposes that a customer has a say in. What answers them or serves their own orders and points needs no consent."""
EVERYWHERE = ""


class ConsentRow(Base):
    __tablename__ = "consents"
    __table_args__ = (Index("ix_consents_customer_id", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int]
    purpose: Mapped[int]
    messenger: Mapped[str] = mapped_column(Text)
    """telegram, zalo, web; empty: everywhere."""
    agreed: Mapped[bool]
    at: Mapped[datetime] = mapped_column(UtcTime)
    proof: Mapped[dict[str, Any]] = mapped_column(JSON)
    """How it was given: {way, account?, words?, actor?}."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One yes or no; see ConsentRow."""

    purpose: Purpose
    messenger: str
    agreed: bool
    at: datetime
    proof: dict[str, Any]


consents = table(ConsentRow)


def record(
    session: Session,
    customer_id: int,
    purpose: Purpose,
    *,
    agreed: bool,
    proof: dict[str, Any],
    messenger: str = EVERYWHERE,
) -> bool:
    """Write down a customer's yes or no; False where that is how it stood. Raises NotFoundError, InvalidError."""
    if purpose not in ASKED:
        raise InvalidError("purpose", "unknown", purpose.name.lower())
    person = customers.get(session, customer_id)
    if allows(session, [person.id], purpose)[person.id].on(messenger) == agreed:
        return False
    session.execute(
        insert(consents).values(
            customer_id=person.id,
            purpose=int(purpose),
            messenger=messenger,
            agreed=agreed,
            at=now(session),
            proof=proof,
        )
    )
    if purpose is Purpose.ADVERTISING and messenger == EVERYWHERE:
        customers.change(session, person.id, advertising=agreed)
        kind = "offers_agreed" if agreed else "offers_stopped"
        events.happened(session, kind, customer_id=person.id, account=proof.get("account"))
    return True


def of(session: Session, customer_id: int) -> list[Consent]:
    """All that a customer ever agreed to or stopped, oldest first."""
    c = consents.c
    rows = session.execute(
        select(c.purpose, c.messenger, c.agreed, c.at, c.proof).where(c.customer_id == customer_id).order_by(c.id)
    )
    return [Consent(Purpose(row.purpose), row.messenger, row.agreed, row.at, row.proof) for row in rows]


@dataclass(frozen=True, slots=True)
class Stand:
    """How a customer stands to a purpose: in general, and on messengers where they said otherwise."""

    general: bool
    otherwise: dict[str, bool]

    def on(self, messenger: str) -> bool:
        return self.otherwise.get(messenger, self.general)


def allows(session: Session, customer_ids: Sequence[int], purpose: Purpose) -> dict[int, Stand]:
    """How these customers stand to a purpose. A general word takes back what was said of single messengers before it."""
    people, c = customers.customers.c, consents.c
    stands = {
        row.id: Stand(row.advertising if purpose is Purpose.ADVERTISING else True, {})
        for row in session.execute(select(people.id, people.advertising).where(people.id.in_(customer_ids)))
    }
    rows = session.execute(
        select(c.customer_id, c.messenger, c.agreed)
        .where(c.customer_id.in_(customer_ids), c.purpose == int(purpose))
        .order_by(c.id)
    )
    for row in rows:
        before = stands.get(row.customer_id)
        if before is None:
            continue
        if row.messenger == EVERYWHERE:
            stands[row.customer_id] = Stand(row.agreed, {})
        else:
            before.otherwise[row.messenger] = row.agreed
    return stands


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge what was agreed stays as proof, and a no of either is a no; a yes of either stands where nobody said no."""
    people, c = customers.customers, consents.c
    both = (from_id, to_id)
    agreed = session.execute(select(people.c.advertising).where(people.c.id.in_(both))).scalars().all()
    refused = {
        purpose
        for purpose in ASKED
        for number in both
        if session.execute(
            select(c.agreed)
            .where(c.customer_id == number, c.purpose == int(purpose), c.messenger == EVERYWHERE)
            .order_by(c.id.desc())
            .limit(1)
        ).scalar() is False
    }  # fmt: skip
    session.execute(update(consents).where(c.customer_id == from_id).values(customer_id=to_id))
    yes = any(agreed) and Purpose.ADVERTISING not in refused
    session.execute(update(people).where(people.c.id == to_id).values(advertising=yes))
    for purpose in sorted(refused):
        # The last word: one of the two said it.
        session.execute(
            insert(consents).values(
                customer_id=to_id, purpose=int(purpose), messenger=EVERYWHERE, agreed=False, at=now(session),
                proof={"way": "merge", "from": from_id},
            )
        )  # fmt: skip
