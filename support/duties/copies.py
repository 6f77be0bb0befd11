"""Copies: a note of each copy of their data that a customer was given, and an end to its file."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, Text, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims
from store import audit, erasure, media
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError

AGAIN_AFTER = timedelta(minutes=10)
"""A copy is much work: not every tap makes another."""
KEPT = timedelta(days=2)
"""So long the file itself stays here for the messenger to take."""


class CopyRow(Base):
    __tablename__ = "data_copies"
    __table_args__ = (Index("ix_data_copies_customer", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(Text)
    """`customer`, `staff:4` or `cli`."""
    size: Mapped[int] = mapped_column(BigInteger)
    sha: Mapped[str | None] = mapped_column(Text)
    """The file, while it is still here."""


class TooSoonError(ConflictError):
    """They have just been given one."""

    code = "copy_too_soon"


copies = table(CopyRow)


def may(session: Session, customer_id: int) -> None:
    """Raises TooSoonError where a customer has just been given a copy on their own asking."""
    c = copies.c
    last = session.execute(
        select(c.id).where(c.customer_id == customer_id, c.by == "customer", c.at > now(session) - AGAIN_AFTER).limit(1)
    ).first()
    if last is not None:
        raise TooSoonError("copy")


def hand_out(
    session: Session, customer_id: int, by: str, content: bytes, shop_id: int | None = None, *, sent: bool = False
) -> None:
    """Note that a copy was handed out; `sent`: it goes by a messenger, and its file stays here until that has it."""
    session.execute(
        insert(copies).values(
            customer_id=customer_id, at=now(session), by=by, size=len(content),
            sha=media.address(content) if sent else None,
        )
    )  # fmt: skip
    audit.record(session, by, "customer_copied", shop_id, customer=customer_id)


def prune(session: Session) -> None:
    """Throw the files of copies away once they have had time to arrive."""
    c = copies.c
    old = (c.sha.is_not(None), c.at < now(session) - KEPT)
    shas = set(session.execute(select(c.sha).where(*old)).scalars())
    if shas:
        session.execute(update(copies).where(*old).values(sha=None))
        session.execute(delete(media.MediaHandle).where(media.MediaHandle.sha.in_(shas)))
        erasure.forget_media(session, shas)


def forget(session: Session, customer_ids: Sequence[int]) -> set[str]:
    """The files of copies that are still here, no longer theirs."""
    c = copies.c
    mine = (c.customer_id.in_(customer_ids), c.sha.is_not(None))
    shas = set(session.execute(select(c.sha).where(*mine)).scalars())
    session.execute(update(copies).where(*mine).values(sha=None))
    return shas


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry the notes over in a merge."""
    session.execute(update(copies).where(copies.c.customer_id == from_id).values(customer_id=to_id))


claims.MOVES.append(move)
