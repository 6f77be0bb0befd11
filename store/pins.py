"""PINs: how cashiers who share a tablet take turns at it. Six digits of each one's own, good for the till alone.

A PIN opens nothing on a browser that nobody signed in by a link, and gives no right but the till. Five wrong ones in a row
close it for a quarter of an hour, so that a million tries take some years. What is stored is an HMAC under the
installation's secret key: the database alone gives nothing to guess from.
"""

import hashlib
import hmac
import math
import re
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import ForeignKey, Text, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import staff
from store.base import Base, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError, RuleError
from store.staff import Member, Right

DIGITS = re.compile(r"[0-9]{6}")
WRONG_MAX = 5
CLOSED_FOR = timedelta(minutes=15)


class PinRow(Base):
    __tablename__ = "staff_pins"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(Text)
    wrong: Mapped[int]
    """Wrong ones in a row."""
    closed_until: Mapped[datetime | None] = mapped_column(UtcTime)


class WrongPinError(RuleError):
    """Not this member's PIN, or they have none; `left` may be tried before it closes."""

    code = "wrong_pin"

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} left")
        self.left = left


class PinClosedError(RuleError):
    """Too many wrong ones in a row; in `seconds` the next may be tried."""

    code = "pin_closed"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


pins = table(PinRow)


def choose(session: Session, staff_id: int, pin: str, secret_key: str) -> None:
    """Set a member's PIN. Raises InvalidError("pin"): not six digits (`format`), or one that everybody tries first
    (`weak`).
    """
    if not DIGITS.fullmatch(pin):
        raise InvalidError("pin", "format")
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        raise InvalidError("pin", "weak")
    session.execute(delete(pins).where(pins.c.staff_id == staff_id))
    session.execute(
        insert(pins).values(staff_id=staff_id, hash=_hash(staff_id, pin, secret_key), wrong=0, closed_until=None)
    )


def cashiers(session: Session, shop_id: int) -> list[Member]:
    """Who may take a turn at a shop's till by PIN, by name."""
    have = set(session.execute(select(pins.c.staff_id)).scalars())
    return [member for member in staff.every(session) if member.id in have and member.may(Right.TILL, shop_id)]


def enter(session: Session, staff_id: int, pin: str, shop_id: int, secret_key: str) -> Member | WrongPinError:
    """Take a turn at a shop's till: the member, where the PIN is theirs.

    A wrong one is returned, not raised, for it was counted and the count must stay. Raises PinClosedError.
    """
    row = session.execute(
        select(pins.c.hash, pins.c.wrong, pins.c.closed_until).where(pins.c.staff_id == staff_id).with_for_update()
    ).first()
    if row is None:
        return WrongPinError(WRONG_MAX)
    moment = now(session)
    if row.closed_until is not None and row.closed_until > moment:
        raise PinClosedError(math.ceil((row.closed_until - moment).total_seconds()))
    try:
        member = staff.get(session, staff_id)
    except NotFoundError:
        return WrongPinError(WRONG_MAX)
    right = hmac.compare_digest(row.hash, _hash(staff_id, pin, secret_key)) and member.may(Right.TILL, shop_id)
    wrong = 0 if right else row.wrong + 1
    closed = wrong >= WRONG_MAX
    session.execute(
        update(pins)
        .where(pins.c.staff_id == staff_id)
        .values(wrong=0 if closed else wrong, closed_until=moment + CLOSED_FOR if closed else None)
    )
    return member if right else WrongPinError(WRONG_MAX - wrong)


def _hash(staff_id: int, pin: str, secret_key: str) -> str:
    return hmac.new(secret_key.encode(), f"pin:{staff_id}:{pin}".encode(), hashlib.sha256).hexdigest()
