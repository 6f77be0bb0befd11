"""Tags: short words that colleagues put on tickets to find and count them by. A shop's tags come to be by being used."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, table
from store.errors import InvalidError
from store.staff import Member
from store.text import fold
from support import tickets

NAME_CHARS_MAX = 40
ON_A_TICKET_MAX = 20
LISTED = 200


class TagRow(Base):
    """A tag of a shop, written as it was the first time; case and marks aside it is one."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("shop_id", "folded"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    folded: Mapped[str] = mapped_column(Text)


class TicketTagRow(Base):
    __tablename__ = "ticket_tags"
    __table_args__ = (Index("ix_ticket_tags_tag", "tag_id", "ticket_id"),)

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True, autoincrement=False)


@dataclass(frozen=True, slots=True)
class Tag:
    """`used`: on how many tickets it is."""

    id: int
    name: str
    used: int


tag_table = table(TagRow)
ticket_tags = table(TicketTagRow)


def put(session: Session, ticket_id: int, member: Member, name: str) -> None:
    """Tag a ticket. Repeatable. Raises as tickets.view, InvalidError (tag: length, count)."""
    name = clean(name)
    ticket = tickets.hold(session, ticket_id, member)
    known = of(session, [ticket_id]).get(ticket_id, [])
    if fold(name) in {fold(one) for one in known}:
        return
    if len(known) >= ON_A_TICKET_MAX:
        raise InvalidError("tag", "count", len(known))
    tag_id = _find_or_make(session, ticket.shop_id, name)
    session.execute(insert(ticket_tags).values(ticket_id=ticket_id, tag_id=tag_id))
    tickets.log(session, ticket, "tagged", member.id, tag=name)


def take_off(session: Session, ticket_id: int, member: Member, name: str) -> None:
    """Take a tag off a ticket. Repeatable. Raises as tickets.view."""
    ticket = tickets.hold(session, ticket_id, member)
    g, t = ticket_tags.c, tag_table.c
    row = session.execute(
        select(t.id, t.name)
        .join(ticket_tags, g.tag_id == t.id)
        .where(g.ticket_id == ticket_id, t.folded == fold(name.strip()))
    ).first()
    if row is not None:
        session.execute(delete(ticket_tags).where(g.ticket_id == ticket_id, g.tag_id == row.id))
        tickets.log(session, ticket, "untagged", member.id, tag=row.name)


def of(session: Session, ticket_ids: Sequence[int]) -> dict[int, list[str]]:
    """The tags of some tickets, by name."""
    rows = session.execute(
        select(ticket_tags.c.ticket_id, tag_table.c.name)
        .join(tag_table, tag_table.c.id == ticket_tags.c.tag_id)
        .where(ticket_tags.c.ticket_id.in_(ticket_ids))
        .order_by(tag_table.c.folded)
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.ticket_id, []).append(row.name)
    return found


def find(session: Session, shop_id: int, tag_id: int) -> Tag | None:
    """A tag of a shop; None where it has none of that number."""
    used = select(func.count()).where(ticket_tags.c.tag_id == tag_id).scalar_subquery()
    mine = (tag_table.c.id == tag_id, tag_table.c.shop_id == shop_id)
    row = session.execute(select(tag_table.c.id, tag_table.c.name, used).where(*mine)).first()
    return Tag(*row) if row else None


def every(session: Session, shop_ids: Sequence[int]) -> list[Tag]:
    """The tags of some shops, the most used first."""
    used = func.count(ticket_tags.c.ticket_id)
    rows = session.execute(
        select(tag_table.c.id, tag_table.c.name, used)
        .outerjoin(ticket_tags, ticket_tags.c.tag_id == tag_table.c.id)
        .where(tag_table.c.shop_id.in_(shop_ids))
        .group_by(tag_table.c.id, tag_table.c.name)
        .order_by(used.desc(), tag_table.c.name)
        .limit(LISTED)
    )
    return [Tag(*row) for row in rows]


def carry(session: Session, from_id: int, to_id: int) -> None:
    """Put the tags of a ticket on the one that it became a part of (another shop's as that shop's own)."""
    shop_id = tickets.get(session, to_id).shop_id
    there = {fold(name) for name in of(session, [to_id]).get(to_id, [])}
    for name in of(session, [from_id]).get(from_id, []):
        if fold(name) not in there:
            tag_id = _find_or_make(session, shop_id, name)
            session.execute(insert(ticket_tags).values(ticket_id=to_id, tag_id=tag_id))


def _find_or_make(session: Session, shop_id: int, name: str) -> int:
    look = select(tag_table.c.id).where(tag_table.c.shop_id == shop_id, tag_table.c.folded == fold(name))
    known = session.execute(look).scalar()
    if known is not None:
        return int(known)
    try:
        with session.begin_nested():
            made = insert(tag_table).values(shop_id=shop_id, name=name, folded=fold(name)).returning(tag_table.c.id)
            return int(session.execute(made).scalar_one())
    except IntegrityError:
        # Another replica has just made the same one.
        return int(session.execute(look).scalar_one())


def clean(name: str) -> str:
    """A tag as it is written; raises InvalidError("tag", "length")."""
    name = re.sub(r"\s+", " ", name.replace("\x00", "").strip().lstrip("#")).strip()
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("tag", "length", name)
    return name
