"""Tagging: a shop's tags put in order: renamed, two made one, taken out. Macros and saved views go along."""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store import audit
from store.errors import NotFoundError
from store.staff import Member, Right
from store.text import fold
from support import tags, turns, views
from support.answers import macros
from support.tags import Tag, tag_table, ticket_tags


def rename(session: Session, shop_id: int, member: Member, tag_id: int, name: str) -> None:
    """Call a tag otherwise; by the name of another one, the two become that one. Raises ForbiddenError, NotFoundError,
    InvalidError("tag").
    """
    known = _held(session, shop_id, member, tag_id)
    name = tags.clean(name)
    if name == known.name:
        return
    t, g = tag_table.c, ticket_tags.c
    other = session.execute(
        select(t.id, t.name).where(t.shop_id == shop_id, t.folded == fold(name), t.id != tag_id)
    ).first()
    if other is not None:
        name, there = other.name, select(g.ticket_id).where(g.tag_id == other.id)
        session.execute(
            update(ticket_tags).where(g.tag_id == tag_id, g.ticket_id.not_in(there)).values(tag_id=other.id)
        )
        _drop(session, tag_id)
    else:
        session.execute(update(tag_table).where(t.id == tag_id).values(name=name, folded=fold(name)))
    macros.retag(session, shop_id, known.name, name)
    elsewhere = session.execute(select(t.id).where(t.folded == fold(known.name)).limit(1)).first() is not None
    views.retag(session, known.name, name, keep=elsewhere)
    audit.record(
        session, f"staff:{member.id}", "tag_changed", shop_id, tag=tag_id, used=known.used,
        before={"name": known.name}, after={"name": name},
    )  # fmt: skip


def remove(session: Session, shop_id: int, member: Member, tag_id: int) -> None:
    """Take a tag off all tickets, and out of the list. Raises ForbiddenError, NotFoundError."""
    known = _held(session, shop_id, member, tag_id)
    _drop(session, tag_id)
    macros.retag(session, shop_id, known.name, None)
    audit.record(session, f"staff:{member.id}", "tag_removed", shop_id, name=known.name, used=known.used)


def _held(session: Session, shop_id: int, member: Member, tag_id: int) -> Tag:
    """A tag of the shop, with the desk's turn held: nobody puts it on a ticket meanwhile."""
    member.need(Right.CONSOLE, shop_id)
    turns.take(session, f"desk:{shop_id}")
    known = tags.find(session, shop_id, tag_id)
    if known is None:
        raise NotFoundError("tag", tag_id)
    return known


def _drop(session: Session, tag_id: int) -> None:
    session.execute(delete(ticket_tags).where(ticket_tags.c.tag_id == tag_id))
    session.execute(delete(tag_table).where(tag_table.c.id == tag_id))
