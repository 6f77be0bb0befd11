"""Links: the shop's own short addresses in what it sends, so that it knows who opened them. One for each person and address."""

import re
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Text, func, insert, literal, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.outreach.deliveries import deliveries, of
from store import secret
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import NotFoundError

SIGNS = 10
PATH = "/l/"
URL_CHARS_MAX = 2_000
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
        token = secret.code(SIGNS)
        session.execute(insert(links).values(token=token, delivery_id=delivery_id, url=url, clicks=0))
        return f"{root}{PATH}{token}"

    replace: Callable[[re.Match[str]], str] = short
    return _URL.sub(replace, words)


def follow(session: Session, token: str) -> str:
    """Where a short address leads; it counts as opened. Raises NotFoundError."""
    url = session.execute(
        update(links)
        .where(links.c.token == token.upper())
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
