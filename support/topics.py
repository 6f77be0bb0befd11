"""Topics: what a ticket can be about. Five come with the program and stay; a shop adds its own between them."""

import re
from dataclasses import dataclass

from sqlalchemy import ForeignKey, Index, Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, BigId, table
from store.errors import InvalidError, NotFoundError
from store.staff import Member, Right
from store.text import fold

SHIPPED = ("order", "product", "points", "complaint", "other")
OTHER = "other"
NAME_CHARS_MAX = 30
"""It stands on a button of a chat."""
OWN_MAX = 12


class TopicRow(Base):
    """A topic of a shop's own."""

    __tablename__ = "topics"
    __table_args__ = (Index("ix_topics_shop", "shop_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    english: Mapped[str] = mapped_column(Text)
    """For who reads English; empty: the name does."""
    offered: Mapped[bool] = mapped_column(default=True)
    """Whether new tickets may have it; old ones keep it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`key` is what stands on the ticket."""

    id: int
    key: str
    name: str
    english: str
    offered: bool

    def called(self, language: str) -> str:
        """Its name in a language."""
        return self.english if self.english and language != "vi" else self.name


topics = table(TopicRow)


def own(session: Session, shop_id: int) -> list[Topic]:
    """A shop's own topics, those no longer offered too."""
    rows = session.execute(
        select(topics.c.id, topics.c.name, topics.c.english, topics.c.offered)
        .where(topics.c.shop_id == shop_id)
        .order_by(topics.c.id)
    )
    return [Topic(row.id, f"t{row.id}", row.name, row.english, row.offered) for row in rows]


def of_shops(session: Session, shop_ids: list[int]) -> dict[int, list[Topic]]:
    """Own topics of several shops, by shop."""
    found: dict[int, list[Topic]] = {shop_id: [] for shop_id in shop_ids}
    if not shop_ids:
        return found
    rows = session.execute(
        select(topics.c.shop_id, topics.c.id, topics.c.name, topics.c.english, topics.c.offered)
        .where(topics.c.shop_id.in_(shop_ids))
        .order_by(topics.c.id)
    )
    for row in rows:
        found[row.shop_id].append(Topic(row.id, f"t{row.id}", row.name, row.english, row.offered))
    return found


def check(session: Session, shop_id: int, key: str) -> None:
    """Raises InvalidError("topic") unless a new ticket of the shop may have this topic."""
    if key not in SHIPPED and not any(one.key == key and one.offered for one in own(session, shop_id)):
        raise InvalidError("topic", "unknown", key)


def add(session: Session, shop_id: int, member: Member, name: str, english: str = "") -> int:
    """Add a topic of the shop's own; its number. Raises ForbiddenError, InvalidError (name: length, taken, too many)."""
    member.need(Right.CONSOLE, shop_id)
    name, english = _named(session, shop_id, name, english, but=None)
    if sum(one.offered for one in own(session, shop_id)) >= OWN_MAX:
        raise InvalidError("name", "count", OWN_MAX)
    added = session.execute(
        insert(topics).values(shop_id=shop_id, name=name, english=english, offered=True).returning(topics.c.id)
    ).scalar_one()
    audit.record(session, f"staff:{member.id}", "topic_added", shop_id, topic=added, name=name)
    return int(added)


def change(session: Session, topic_id: int, member: Member, name: str, english: str, *, offered: bool) -> None:
    """Rename a topic, offer it no longer or again. Raises as `add`, NotFoundError."""
    shop_id = session.execute(select(topics.c.shop_id).where(topics.c.id == topic_id).with_for_update()).scalar()
    if shop_id is None or not member.may(Right.CONSOLE, shop_id):
        raise NotFoundError("topic", topic_id)
    before = next(one for one in own(session, shop_id) if one.id == topic_id)
    name, english = _named(session, shop_id, name, english, but=topic_id)
    after = Topic(topic_id, before.key, name, english, offered)
    if after == before:
        return
    session.execute(update(topics).where(topics.c.id == topic_id).values(name=name, english=english, offered=offered))
    changed = {
        field: [getattr(before, field), getattr(after, field)]
        for field in ("name", "english", "offered") if getattr(before, field) != getattr(after, field)
    }  # fmt: skip
    audit.record(session, f"staff:{member.id}", "topic_changed", shop_id, topic=topic_id, changed=changed)


def _named(session: Session, shop_id: int, name: str, english: str, but: int | None) -> tuple[str, str]:
    name, english = (re.sub(r"\s+", " ", one.replace("\x00", "")).strip() for one in (name, english))
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    if len(english) > NAME_CHARS_MAX:
        raise InvalidError("english", "length", english)
    if any(fold(one.name) == fold(name) and one.id != but for one in own(session, shop_id)):
        raise InvalidError("name", "taken", name)
    return name, english
