"""Badges: a name and a sign for what a customer has done, earned once; by a rule or given by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.recognition import visits
from loyalty.recognition.visits import Measure, Visit
from store import events, notices
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError

NAME_CHARS_MAX = 60
ABOUT_CHARS_MAX = 200
ICON_CHARS_MAX = 8
TARGET_MAX = 1_000_000_000
HAND = "hand"
"""The measure of a badge that is only given by hand."""
MEASURES = (Measure.ORDERS, Measure.SPEND, Measure.DISHES, Measure.DAYS, Measure.WEEKS)


class BadgeRow(Base):
    __tablename__ = "badges"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text)
    icon: Mapped[str] = mapped_column(Text)
    """One sign, an emoji."""
    picture: Mapped[str | None] = mapped_column(Text)
    """Address of its picture in `media`, sent when it is earned."""
    measure: Mapped[str] = mapped_column(Text)
    target: Mapped[int]
    names: Mapped[list[str]] = mapped_column(JSON)
    active: Mapped[bool]
    """Whether it can still be earned; who has it keeps it."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class AwardRow(Base):
    """A badge that somebody earned. Taken back with the order that brought it, it comes back without another word."""

    __tablename__ = "badge_awards"
    __table_args__ = (UniqueConstraint("customer_id", "badge_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    badge_id: Mapped[int] = mapped_column(ForeignKey("badges.id"), index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    at: Mapped[datetime] = mapped_column(UtcTime)
    order_id: Mapped[int | None]
    actor: Mapped[str | None] = mapped_column(Text)
    """Who gave it by hand."""
    taken_back_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class BadgeInput:
    """A badge as a form has it; `measure` None: given by hand."""

    name: str
    icon: str
    measure: Measure | None = None
    target: int = 0
    about: str = ""
    names: Sequence[str] = ()
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge as rules give it out; see BadgeRow."""

    id: int
    shop_id: int
    name: str
    about: str
    icon: str
    picture: str | None
    measure: str
    target: int
    names: list[str]
    active: bool


badges = table(BadgeRow)
awards = table(AwardRow)
_FIELDS = tuple(badges.c[name] for name in Badge.__dataclass_fields__)


def add(session: Session, shop_id: int, badge: BadgeInput) -> Badge:
    """Make a badge. Raises InvalidError naming the field: name, about, icon, measure, target, names."""
    values = _values(badge)
    row = session.execute(
        insert(badges).values(shop_id=shop_id, active=True, created_at=now(session), **values).returning(*_FIELDS)
    ).one()
    return Badge(*row)


def change(session: Session, badge_id: int, shop_id: int, badge: BadgeInput) -> Badge:
    """Change a badge; who has it keeps it. Raises InvalidError, NotFoundError."""
    before = get(session, badge_id, shop_id)
    values = _values(badge)
    values["picture"] = values["picture"] or before.picture
    session.execute(update(badges).where(badges.c.id == badge_id).values(**values))
    return get(session, badge_id)


def activate(session: Session, badge_id: int, shop_id: int, *, active: bool) -> Badge:
    """Let a badge be earned, or no longer. Raises NotFoundError."""
    get(session, badge_id, shop_id)
    session.execute(update(badges).where(badges.c.id == badge_id).values(active=active))
    return get(session, badge_id)


def _values(badge: BadgeInput) -> dict[str, Any]:
    if not badge.name.strip() or len(badge.name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", badge.name)
    if len(badge.about) > ABOUT_CHARS_MAX:
        raise InvalidError("about", "length", badge.about)
    if not badge.icon.strip() or len(badge.icon) > ICON_CHARS_MAX:
        raise InvalidError("icon", "length", badge.icon)
    if badge.measure is not None and badge.measure not in MEASURES:
        raise InvalidError("measure", "unknown", badge.measure)
    if badge.measure is not None and not 1 <= badge.target <= TARGET_MAX:
        raise InvalidError("target", "range", badge.target)
    return {
        "name": " ".join(badge.name.split()), "about": badge.about.strip(), "icon": badge.icon.strip(),
        "measure": badge.measure.value if badge.measure else HAND, "target": badge.target if badge.measure else 0,
        "names": [name.strip() for name in badge.names if name.strip()], "picture": badge.picture,
    }  # fmt: skip


def get(session: Session, badge_id: int, shop_id: int | None = None) -> Badge:
    """A badge (of a shop); raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(badges.c.id == badge_id)).first()
    if row is None or shop_id not in {None, row.shop_id}:
        raise NotFoundError("badge", badge_id)
    return Badge(*row)


def of_shop(session: Session, shop_id: int) -> list[Badge]:
    """A shop's badges, in the order in which they were made."""
    rows = session.execute(select(*_FIELDS).where(badges.c.shop_id == shop_id).order_by(badges.c.id))
    return [Badge(*row) for row in rows]


def holders(session: Session, shop_id: int) -> dict[int, int]:
    """How many customers have each badge of a shop."""
    rows = session.execute(
        select(awards.c.badge_id, func.count())
        .join(badges, badges.c.id == awards.c.badge_id)
        .where(badges.c.shop_id == shop_id, awards.c.taken_back_at.is_(None))
        .group_by(awards.c.badge_id)
    )
    return {int(number): int(count) for number, count in rows}


def of_customer(session: Session, shop_id: int, customer_id: int) -> list[tuple[Badge, datetime]]:
    """A customer's badges of a shop with when they were earned, oldest first."""
    rows = session.execute(
        select(*_FIELDS, awards.c.at)
        .join(awards, awards.c.badge_id == badges.c.id)
        .where(awards.c.customer_id == customer_id, badges.c.shop_id == shop_id, awards.c.taken_back_at.is_(None))
        .order_by(awards.c.at, awards.c.id)
    )
    return [(Badge(*row[: len(_FIELDS)]), row.at) for row in rows]


def order_settled(
    session: Session,
    shop_id: int,
    customer_id: int,
    history: Sequence[Visit],
    *,
    order_id: int,
    starts: bool,
    quiet: bool,
) -> None:
    """Give the badges that a customer's visits have reached, and take back those they no longer reach."""
    for badge in of_shop(session, shop_id):
        if badge.measure == HAND:
            continue
        reached = visits.count(history, Measure(badge.measure), names=visits.folded(badge.names))
        if reached >= badge.target:
            if starts and badge.active:
                _award(session, badge, customer_id, order_id=order_id, quiet=quiet)
        else:
            _take_back(session, badge, customer_id)


def give(session: Session, badge_id: int, shop_id: int, customer_id: int, actor: str) -> bool:
    """Give a badge by hand, told to the customer; whether they didn't have it yet. Raises NotFoundError."""
    return _award(session, get(session, badge_id, shop_id), customer_id, actor=actor, quiet=False)


def _award(
    session: Session,
    badge: Badge,
    customer_id: int,
    *,
    order_id: int | None = None,
    actor: str | None = None,
    quiet: bool,
) -> bool:
    where = (awards.c.badge_id == badge.id, awards.c.customer_id == customer_id)
    known = session.execute(select(awards.c.id, awards.c.taken_back_at).where(*where).with_for_update()).first()
    if known is not None:
        session.execute(update(awards).where(awards.c.id == known.id).values(taken_back_at=None))
        return known.taken_back_at is not None
    try:
        with session.begin_nested():
            session.execute(
                insert(awards).values(
                    badge_id=badge.id, customer_id=customer_id, at=now(session), order_id=order_id, actor=actor
                )
            )
    except IntegrityError:
        return False
    events.happened(
        session, "badge_earned", customer_id=customer_id, shop_id=badge.shop_id, badge=badge.id, name=badge.name
    )
    if not quiet:
        notices.tell(
            session, "badge_earned", customer_id=customer_id, shop_id=badge.shop_id, badge=badge.name,
            icon=badge.icon, about=badge.about, picture=badge.picture,
        )  # fmt: skip
    return True


def _take_back(session: Session, badge: Badge, customer_id: int) -> None:
    """What orders brought goes with them; what was given by hand stays."""
    gone = session.execute(
        update(awards)
        .where(
            awards.c.badge_id == badge.id, awards.c.customer_id == customer_id, awards.c.taken_back_at.is_(None),
            awards.c.actor.is_(None),
        )
        .values(taken_back_at=now(session))
        .returning(awards.c.id)
    ).first()  # fmt: skip
    if gone is not None:
        events.happened(
            session, "badge_taken_back", customer_id=customer_id, shop_id=badge.shop_id, badge=badge.id, name=badge.name
        )


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's badges over in a merge; each stays one."""
    own = select(awards.c.badge_id).where(awards.c.customer_id == to_id)
    session.execute(
        update(awards).where(awards.c.customer_id == from_id, awards.c.badge_id.not_in(own)).values(customer_id=to_id)
    )
