"""Media by content address: what people send and what the shop sends is stored once, under its SHA-256.

A messenger's own id for the same bytes is remembered after the first upload. What a customer sends on Telegram arrives as
a file id only: an attachment waits until the worker has fetched the bytes, while the message itself is already there.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, Text, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime
from store.clock import now
from store.errors import NotFoundError
from store.signals import signal

BYTES_MAX = 20 * 1024 * 1024
"""What Telegram lets a bot download."""
FETCH_TRIES = 20
FETCH_AGAIN_MAX = timedelta(minutes=10)
"""With the tries a good two hours: Telegram may be away for a while, and what a customer sent is not lost for it."""


class Media(Base):
    __tablename__ = "media"

    sha: Mapped[str] = mapped_column(Text, primary_key=True)
    mime: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    """Bytes."""
    width: Mapped[int | None]
    height: Mapped[int | None]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcTime)
    ours: Mapped[bool | None]
    """The shop's own (an offer's picture, a campaign's): it outlives the messages that show it."""


class MediaHandle(Base):
    """A messenger's file id for bytes that were uploaded to it before."""

    __tablename__ = "media_handles"

    account: Mapped[str] = mapped_column(Text, primary_key=True)
    sha: Mapped[str] = mapped_column(ForeignKey("media.sha", ondelete="CASCADE"), primary_key=True)
    method: Mapped[str] = mapped_column(Text, primary_key=True)
    """Telegram keeps photos and documents apart."""
    file_id: Mapped[str] = mapped_column(Text)


class Attachment(Base):
    """One file of a message. `state`: stored (its bytes are in `media`), waiting (to be fetched), too_big, failed."""

    __tablename__ = "attachments"
    __table_args__ = (
        Index(
            "ix_attachments_due", "due_at",
            sqlite_where=text("state = 'waiting'"), postgresql_where=text("state = 'waiting'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    """photo, voice, audio, video, document, sticker."""
    mime: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, default="")
    size: Mapped[int | None] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    seconds: Mapped[int | None]
    sha: Mapped[str | None] = mapped_column(ForeignKey("media.sha"))
    account: Mapped[str | None] = mapped_column(Text)
    file_id: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    topic: Mapped[str | None] = mapped_column(Text)
    """The signal to give when its state changes."""


@dataclass(frozen=True, slots=True)
class File:
    """What a message carries, before it is an attachment: stored bytes (`sha`), or a messenger's file id to fetch.

    `size` in bytes, `width` and `height` in px, `seconds` of what is heard or seen; None where nobody told.
    """

    kind: str
    mime: str = "application/octet-stream"
    name: str = ""
    size: int | None = None
    width: int | None = None
    height: int | None = None
    seconds: int | None = None
    sha: str | None = None
    account: str | None = None
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """Stored bytes and what they are; `width` and `height` in px where they are a picture."""

    sha: str
    mime: str
    content: bytes
    width: int | None
    height: int | None


def address(content: bytes) -> str:
    """The content address: SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def keep(
    session: Session,
    content: bytes,
    mime: str,
    width: int | None = None,
    height: int | None = None,
    *,
    ours: bool = False,
) -> str:
    """Store bytes once; their address. `ours`: see Media."""
    sha = address(content)
    if session.execute(select(Media.sha).where(Media.sha == sha)).first() is None:
        try:
            with session.begin_nested():
                session.execute(
                    insert(Media).values(
                        sha=sha, mime=mime, size=len(content), width=width, height=height, content=content,
                        at=now(session), ours=ours,
                    )
                )  # fmt: skip
        except IntegrityError:
            # Another replica has just stored the same bytes.
            pass
    if ours:
        session.execute(update(Media).where(Media.sha == sha, Media.ours.is_not(True)).values(ours=True))
    return sha


@dataclass(frozen=True, slots=True)
class Facts:
    """What stored bytes are: `size` in bytes, `width` and `height` in px where they are a picture; `ours`: see Media."""

    mime: str
    size: int
    width: int | None
    height: int | None
    ours: bool


def facts(session: Session, sha: str) -> Facts:
    """What is known of the bytes at an address, without them; raises NotFoundError."""
    query = select(Media.mime, Media.size, Media.width, Media.height, Media.ours).where(Media.sha == sha)
    row = session.execute(query).first()
    if row is None:
        raise NotFoundError("media", sha)
    return Facts(row.mime, row.size, row.width, row.height, bool(row.ours))


def load(session: Session, sha: str) -> Content:
    """The bytes at an address; raises NotFoundError."""
    row = session.execute(
        select(Media.sha, Media.mime, Media.content, Media.width, Media.height).where(Media.sha == sha)
    ).first()
    if row is None:
        raise NotFoundError("media", sha)
    return Content(row.sha, row.mime, row.content, row.width, row.height)


def handle(session: Session, account: str, sha: str, method: str) -> str | None:
    """The messenger's file id for these bytes under this method, where it has one."""
    return session.execute(
        select(MediaHandle.file_id).where(
            MediaHandle.account == account, MediaHandle.sha == sha, MediaHandle.method == method
        )
    ).scalar()


def remember_handle(session: Session, account: str, sha: str, method: str, file_id: str) -> None:
    """Remember the file id that an upload gave."""
    session.execute(
        delete(MediaHandle).where(MediaHandle.account == account, MediaHandle.sha == sha, MediaHandle.method == method)
    )
    session.execute(insert(MediaHandle).values(account=account, sha=sha, method=method, file_id=file_id))


def attach(session: Session, file: File, topic: str | None = None) -> int:
    """Make an attachment of a file; its number. What isn't stored yet is due to be fetched at once."""
    attachment = Attachment(
        kind=file.kind, mime=file.mime, name=file.name[:200], size=file.size, width=file.width, height=file.height,
        seconds=file.seconds, sha=file.sha, account=file.account, file_id=file.file_id,
        state="stored" if file.sha else ("too_big" if (file.size or 0) > BYTES_MAX else "waiting"),
        due_at=now(session), topic=topic,
    )  # fmt: skip
    session.add(attachment)
    session.flush()
    if attachment.state == "waiting":
        signal(session, "fetch")
    return attachment.id


def to_fetch(session: Session, account: str, limit: int = 20) -> list[tuple[int, str]]:
    """Attachments (number, file id) whose bytes are due to be fetched from an account."""
    rows = session.execute(
        select(Attachment.id, Attachment.file_id)
        .where(Attachment.state == "waiting", Attachment.account == account, Attachment.due_at <= now(session))
        .order_by(Attachment.due_at)
        .limit(limit)
    )
    return [(row.id, row.file_id or "") for row in rows]


def fetched(
    session: Session, attachment_id: int, content: bytes, mime: str | None, width: int | None, height: int | None
) -> None:
    """The bytes of an attachment arrived; `mime` is what they show themselves to be, None where they don't."""
    told = session.execute(select(Attachment.mime).where(Attachment.id == attachment_id)).scalar()
    sha = keep(session, content, mime or told or "application/octet-stream", width, height)
    shown = {"mime": mime, "width": width, "height": height} if mime else {}
    _settle(session, attachment_id, state="stored", sha=sha, size=len(content), **shown)


def not_fetched(session: Session, attachment_id: int, *, final: str | None = None) -> None:
    """A fetch failed: for good (`final`: too_big or failed), or try again later, each time twice as late."""
    attempts = session.execute(select(Attachment.attempts).where(Attachment.id == attachment_id)).scalar() or 0
    if final is None and attempts + 1 >= FETCH_TRIES:
        final = "failed"
    if final is not None:
        _settle(session, attachment_id, state=final)
        return
    session.execute(
        update(Attachment)
        .where(Attachment.id == attachment_id)
        .values(attempts=attempts + 1, due_at=now(session) + min(FETCH_AGAIN_MAX, timedelta(seconds=2**attempts)))
    )


def _settle(session: Session, attachment_id: int, **values: object) -> None:
    topic = session.execute(
        update(Attachment).where(Attachment.id == attachment_id).values(**values).returning(Attachment.topic)
    ).scalar()
    if topic:
        signal(session, topic)
