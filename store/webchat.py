"""The web chat's own store: what a messenger's servers are for Telegram, these two tables are for the page at /chat.

A bubble has a number in its chat, as a Telegram message has, and a `seq`: the chat's counter at its last change, taken
under the chat's row lock, so that a page that saw everything up to `seq` n asks for what came after n and misses nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import secret
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.signals import signal

TYPING = timedelta(seconds=6)
REACTIONS = ("👍", "❤", "🙏", "👏", "🎉", "🔥", "😁", "😢", "👌")
"""What visitors may put on a bubble of the shop's."""
TOAST = "toast"
UNSHOWN = "unshown"
"""What the page sent by itself (/start on a first visit): kept, not shown."""


class WebChat(Base):
    __tablename__ = "web_chats"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    language: Mapped[str] = mapped_column(Text)
    last_seq: Mapped[int] = mapped_column(default=0)
    last_number: Mapped[int] = mapped_column(default=0)
    seen_number: Mapped[int] = mapped_column(default=0)
    typing_until: Mapped[datetime | None] = mapped_column(UtcTime)
    address: Mapped[str | None] = mapped_column(Text)
    """The hash of the network address that it was last written from: guesses of codes are counted by it."""


class BubbleRow(Base):
    __tablename__ = "bubbles"
    __table_args__ = (
        Index("ix_bubbles_seq", "chat_id", "seq"),
        Index("uq_bubbles_ref", "chat_id", "ref", unique=True),
    )

    chat_id: Mapped[int] = mapped_column(ForeignKey("web_chats.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    who: Mapped[str] = mapped_column(Text)
    """me (the visitor), shop, toast (a short answer to a tap, shown once) or unshown."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    text: Mapped[str] = mapped_column(Text, default="")
    html: Mapped[str | None] = mapped_column(Text)
    extra: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """media, buttons, quick, reply_to, as the page's protocol names them; media by attachment or content address."""
    edited: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[bool] = mapped_column(default=False)
    ref: Mapped[str | None] = mapped_column(Text)
    """The page's own uuid of what it sent, or `out:N` of the outbox row that was delivered: once each."""
    call_id: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message as the page shows it; see BubbleRow."""

    chat_id: int
    number: int
    seq: int
    who: str
    at: datetime
    text: str
    html: str | None
    extra: dict[str, Any]
    edited: bool
    deleted: bool
    ref: str | None


bubbles = table(BubbleRow)
chats = table(WebChat)
_FIELDS = tuple(bubbles.c[name] for name in Bubble.__dataclass_fields__)


def open_chat(session: Session, language: str) -> int:
    """A new visitor's chat; its number, which is the visitor's user id too."""
    chat = WebChat(created_at=now(session), language=language)
    session.add(chat)
    session.flush()
    return chat.id


def came_from(session: Session, chat_id: int, address: str) -> None:
    """Note where a visitor writes from; only a hash of it is kept."""
    digest = secret.digest(address)[:32]
    session.execute(
        update(chats).where(chats.c.id == chat_id, chats.c.address.is_distinct_from(digest)).values(address=digest)
    )


def address(session: Session, chat_id: int) -> str | None:
    """The hash of where a visitor last wrote from."""
    return session.execute(select(chats.c.address).where(chats.c.id == chat_id)).scalar()


def exists(session: Session, chat_id: int) -> bool:
    """Whether there is such a chat."""
    return session.execute(select(chats.c.id).where(chats.c.id == chat_id)).first() is not None


def current_language(session: Session, chat_id: int) -> str:
    """The language the visitor is spoken to in: as they chose in the chat, else as their browser asked at first."""
    return session.execute(select(chats.c.language).where(chats.c.id == chat_id)).scalar() or "vi"


def speak(session: Session, chat_id: int, language: str) -> None:
    """The visitor chose a language: the page around the chat follows."""
    session.execute(update(WebChat).where(WebChat.id == chat_id).values(language=language))


def _turn(session: Session, chat_id: int, *, numbers: int = 0) -> tuple[int, int]:
    """The chat's next seq and its last message number, the row locked until the work ends."""
    row = session.execute(
        update(WebChat)
        .where(WebChat.id == chat_id)
        .values(last_seq=WebChat.last_seq + 1, last_number=WebChat.last_number + numbers)
        .returning(WebChat.last_seq, WebChat.last_number)
    ).one()
    signal(session, f"chat:{chat_id}")
    return row.last_seq, row.last_number


def add(
    session: Session,
    chat_id: int,
    who: str,
    *,
    text: str = "",
    html: str | None = None,
    ref: str | None = None,
    call_id: int | None = None,
    numbers: int = 1,
    **extra: Any,
) -> int:
    """Add a bubble; its number. One with a `ref` that is there already is not added again: its number is given.

    An album takes as many `numbers` as it has pictures, for each is a message of its own to the handlers.
    """
    if ref is not None:
        known = session.execute(
            select(bubbles.c.number).where(bubbles.c.chat_id == chat_id, bubbles.c.ref == ref)
        ).scalar()
        if known is not None:
            return int(known)
    seq, last = _turn(session, chat_id, numbers=numbers)
    number = last - numbers + 1
    session.execute(
        insert(bubbles).values(
            chat_id=chat_id, number=number, seq=seq, who=who, at=now(session), text=text, html=html, extra=extra,
            edited=False, deleted=False, ref=ref, call_id=call_id,
        )
    )  # fmt: skip
    if who == "shop":
        session.execute(update(WebChat).where(WebChat.id == chat_id).values(typing_until=None))
    return number


def change(session: Session, chat_id: int, number: int, **values: Any) -> bool:
    """Change a bubble (text, html, extra, edited, deleted); False where there is none."""
    seq, _ = _turn(session, chat_id)
    row = session.execute(
        update(BubbleRow)
        .where(BubbleRow.chat_id == chat_id, BubbleRow.number == number)
        .values(seq=seq, **values)
        .returning(BubbleRow.number)
    ).first()
    return row is not None


def react(session: Session, chat_id: int, number: int, who: str, emoji: str | None) -> bool:
    """Put one side's reaction (`me` the visitor's, `shop`) on a bubble, or take it away; False where there is none."""
    bubble = get(session, chat_id, number)
    if bubble is None or bubble.deleted:
        return False
    kept = {key: value for key, value in bubble.extra.get("reactions", {}).items() if key != who}
    reactions = {**kept, who: emoji} if emoji else kept
    return change(session, chat_id, number, extra={**bubble.extra, "reactions": reactions})


def get(session: Session, chat_id: int, number: int) -> Bubble | None:
    """One bubble; None where there is none of this number."""
    row = session.execute(select(*_FIELDS).where(bubbles.c.chat_id == chat_id, bubbles.c.number == number)).first()
    return Bubble(*row) if row else None


def number_of_call(session: Session, chat_id: int, call_id: int) -> int | None:
    """The number of the bubble that an outbox row became."""
    return session.execute(
        select(bubbles.c.number).where(bubbles.c.chat_id == chat_id, bubbles.c.call_id == call_id)
    ).scalar()


def after(session: Session, chat_id: int, seq: int, limit: int = 200) -> list[Bubble]:
    """Bubbles changed after `seq`, in the order of their changes."""
    rows = session.execute(
        select(*_FIELDS).where(bubbles.c.chat_id == chat_id, bubbles.c.seq > seq).order_by(bubbles.c.seq).limit(limit)
    )
    return [Bubble(*row) for row in rows]


def before(session: Session, chat_id: int, number: int | None, limit: int = 30) -> list[Bubble]:
    """The last bubbles below a number (the last of all, where none is given), oldest first, toasts left out."""
    query = select(*_FIELDS).where(bubbles.c.chat_id == chat_id, bubbles.c.who.not_in((TOAST, UNSHOWN)))
    if number is not None:
        query = query.where(bubbles.c.number < number)
    rows = session.execute(query.order_by(bubbles.c.number.desc()).limit(limit)).all()
    return [Bubble(*row) for row in reversed(rows)]


def last_quick(session: Session, chat_id: int) -> list[Any] | None:
    """The quick answers in force, from however long ago."""
    rows = session.execute(
        select(bubbles.c.extra)
        .where(bubbles.c.chat_id == chat_id, bubbles.c.who == "shop")
        .order_by(bubbles.c.number.desc())
        .limit(200)
    ).scalars()
    return next((extra["quick"] for extra in rows if "quick" in extra), None)


def cursor(session: Session, chat_id: int) -> tuple[int, int, datetime | None]:
    """Last seq, last number that the visitor has seen, and until when the shop is typing."""
    row = session.execute(
        select(chats.c.last_seq, chats.c.seen_number, chats.c.typing_until).where(chats.c.id == chat_id)
    ).one()
    return row.last_seq, row.seen_number, row.typing_until


def typing(session: Session, chat_id: int) -> None:
    """Show that the shop is typing, for some seconds or until its next message."""
    session.execute(update(WebChat).where(WebChat.id == chat_id).values(typing_until=now(session) + TYPING))
    signal(session, f"chat:{chat_id}")


def seen(session: Session, chat_id: int, number: int) -> None:
    """The visitor has seen everything up to a number."""
    session.execute(
        update(WebChat).where(WebChat.id == chat_id, WebChat.seen_number < number).values(seen_number=number)
    )
