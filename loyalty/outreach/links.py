"""Links: the shop's own short addresses in what it sends, so that it knows who opened them. One for each person and address."""

import re
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Text, func, insert, literal, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.outreach.deliveries import deliveries, of
from store import secret
from store.base import Base, BigId, UtcTime, table, upsert
from store.clock import now
from store.errors import NotFoundError

SIGNS = 10
PATH = "/l/"
URL_CHARS_MAX = 2_000
BUTTON = "button:"
"""What stands for the address of a button that is tapped in the chat, before its place among them."""
_URL = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]}'…]")


class LinkRow(Base):
    __tablename__ = "links"

    token: Mapped[str] = mapped_column(Text, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(BigId, autoincrement=False, index=True)
    url: Mapped[str] = mapped_column(Text)
    clicks: Mapped[int]
    clicked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """First time."""


links = table(LinkRow)


def shortened(session: Session, words: str, delivery_id: int, root: str) -> str:
    """The words with each web address in them replaced by a short one below `root`, which leads there and is counted."""

    def short(found: re.Match[str]) -> str:
        url = found[0]
        if url.startswith(root + PATH) or len(url) > URL_CHARS_MAX:
            return url
        return shortened_address(session, url, delivery_id, root)

    replace: Callable[[re.Match[str]], str] = short
    return _URL.sub(replace, words)


def shortened_address(session: Session, url: str, delivery_id: int, root: str) -> str:
    """A short address below `root` for one that a button opens."""
    token = secret.code(SIGNS)
    session.execute(insert(links).values(token=token, delivery_id=delivery_id, url=url, clicks=0))
    return f"{root}{PATH}{token}"


def tapped(session: Session, delivery_id: int, place: int) -> None:
    """A button of a message that leads nowhere outside was tapped: it counts like an opened link."""
    at = now(session)
    row = {
        "token": f"{delivery_id}:{place}",
        "delivery_id": delivery_id,
        "url": f"{BUTTON}{place}",
        "clicks": 1,
        "clicked_at": at,
    }
    once_more = {"clicks": links.c.clicks + 1, "clicked_at": func.coalesce(links.c.clicked_at, literal(at, UtcTime()))}
    session.execute(
        upsert(session, links).values(**row).on_conflict_do_update(index_elements=["token"], set_=once_more)
    )


def follow(session: Session, token: str) -> str:
    """Where a short address leads; it counts as opened. Raises NotFoundError."""
    url = session.execute(
        update(links)
        .where(links.c.token == token.upper(), links.c.url.not_like(f"{BUTTON}%"))
        .values(
            clicks=links.c.clicks + 1, clicked_at=func.coalesce(links.c.clicked_at, literal(now(session), UtcTime()))
        )
        .returning(links.c.url)
    ).scalar()
    if url is None:
        raise NotFoundError("link", token)
    return str(url)


def clicked(session: Session, source: str, source_id: int) -> int:
    """How many people opened a link of a campaign or journey."""
    d = deliveries
    return int(
        session.execute(
            select(func.count(links.c.delivery_id.distinct()))
            .join(d, d.c.id == links.c.delivery_id)
            .where(of(source, source_id), links.c.clicks > 0)
        ).scalar_one()
    )


def opened(session: Session, source: str, source_id: int) -> list[tuple[str, int]]:
    """Each address of a campaign or journey, and button (`button:` and its place), and how many people opened it, the most
    first.
    """
    people = func.count(links.c.delivery_id.distinct())
    rows = session.execute(
        select(links.c.url, people)
        .join(deliveries, deliveries.c.id == links.c.delivery_id)
        .where(of(source, source_id), links.c.clicks > 0)
        .group_by(links.c.url)
        .order_by(people.desc(), links.c.url)
    )
    return [(row[0], row[1]) for row in rows]
