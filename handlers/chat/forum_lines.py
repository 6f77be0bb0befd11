"""Lines: a ticket's messages as the forum shows them, what goes together in one message, and by which calls."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import escape
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from handlers.chat import forum_words
from handlers.words import Words
from store.base import table
from store.forum import GONE, Post, posts
from store.staff import StaffRow
from support.messages import AGENT, CUSTOMER, attachments, ticket_files, ticket_messages

CAPTION_CHARS_MAX = 900
"""With a head and a mark it is still a caption."""
JOINED_CHARS_MAX = 3500
SUMMED = 20
"""Lines that a summary looks back."""
SEND = {
    "photo": "sendPhoto", "voice": "sendVoice", "audio": "sendAudio", "video": "sendVideo", "document": "sendDocument",
    "sticker": "sendSticker",
}  # fmt: skip
COPIED = frozenset({"video", "sticker"})
"""Kinds that a messenger has several of under one name (a round video, an animation): copied where that can be done."""
ALBUMS = ({"photo", "video"}, {"document"}, {"audio"})
"""Kinds that one album may hold."""

_staff = table(StaffRow)


@dataclass(frozen=True, slots=True)
class Shown:
    """A file of a message: its bytes in the store, or its name with the messenger that brought it."""

    kind: str
    name: str
    sha: str | None
    account: str | None
    file_id: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A message of a ticket; fields as in support.messages, `staff` the name of who wrote it for the shop."""

    id: int
    ticket_id: int
    seq: int
    who: str
    staff: str | None
    at: datetime
    text: str
    edited_at: datetime | None
    reply_to: int | None
    location: dict[str, Any] | None
    group_id: str | None
    account: str | None
    chat: int | None
    message: int | None
    state: str | None
    reason: str | None
    reactions: dict[str, list[str]]
    deleted_at: datetime | None
    files: tuple[Shown, ...] = field(default=())

    @property
    def says_something(self) -> bool:
        """Whether there is anything to show: an erased message has nothing left."""
        return bool(self.text or self.files or self.location)

    @property
    def looks(self) -> str:
        """What of it may still change, to tell whether it did."""
        reactions = self.reactions or {}
        # The other side's reaction is news in the topic; one's own is there, or was made elsewhere for the customer.
        theirs = reactions.get("customer" if self.who == AGENT else "agent") or []
        return json.dumps(
            {
                "edited": self.edited_at.isoformat() if self.edited_at else None,
                "deleted": self.deleted_at.isoformat() if self.deleted_at else None,
                "reaction": theirs[-1] if theirs else None,
            }
        )

    @property
    def words(self) -> str:
        """It in words: the text, and signs for what else there is."""
        signs = [forum_words.MEDIA.get(file.kind, "📎") + (f" {file.name}" if file.name else "") for file in self.files]
        if self.location is not None:
            signs.append(f"{forum_words.MEDIA['location']} {self.location['lat']}, {self.location['lon']}")
        return " ".join(part for part in (*signs, self.text) if part)

    def mention(self, said: Words, zone: str) -> tuple[str, str | None, str, str]:
        """It as a line of a summary."""
        return self.who, self.staff, said.time(self.at, zone), self.words


@dataclass(frozen=True, slots=True)
class Unit:
    """Messages that are shown together: one alone, an album, or plain words that the customer sent one after the other."""

    lines: tuple[Line, ...]
    album: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """A call without its place, and the messages that it shows."""

    method: str
    params: dict[str, Any]
    lines: tuple[Line, ...]


def changed(session: Session, ticket_id: int, after: int) -> list[Line]:
    """Messages of a ticket that are new or changed since the desk's number `after`, oldest first."""
    return _lines(session, [ticket_messages.c.ticket_id == ticket_id, ticket_messages.c.changed > after])


def shown_before(session: Session, ticket_id: int) -> list[Line]:
    """The last messages of a ticket that stood in a topic of it which is gone, oldest first."""
    ids = session.execute(
        select(posts.c.message_id)
        .where(posts.c.ticket_id == ticket_id, posts.c.message_id.is_not(None), posts.c.state == GONE)
        .order_by(posts.c.id.desc()).limit(SUMMED)
    ).scalars().all()  # fmt: skip
    return _lines(session, [ticket_messages.c.id.in_(ids)])


def mentioned(session: Session, message_ids: Sequence[int]) -> list[str]:
    """Messages in words, as HTML."""
    return [escape(line.words) for line in _lines(session, [ticket_messages.c.id.in_(message_ids)])]


def number_of(session: Session, ticket_id: int, seq: int) -> int | None:
    """The message at a place of a ticket's thread."""
    m = ticket_messages.c
    return session.execute(select(m.id).where(m.ticket_id == ticket_id, m.seq == seq)).scalar()


def looks_of(session: Session, message_id: int) -> str:
    """What of a message may still change; see Line.looks."""
    found = _lines(session, [ticket_messages.c.id == message_id])
    return found[0].looks if found else ""


def shares(session: Session, post: Post) -> bool:
    """Whether one message of the topic shows others of the ticket's too."""
    if post.call is None:
        return False
    count = session.execute(select(func.count()).select_from(posts).where(posts.c.call == post.call)).scalar_one()
    return int(count) > 1


def _lines(session: Session, wanted: list[ColumnElement[bool]]) -> list[Line]:
    m, a = ticket_messages.c, attachments.c
    rows = session.execute(
        select(
            m.id, m.ticket_id, m.seq, m.who, _staff.c.name.label("staff"), m.at, m.text, m.edited_at, m.reply_to,
            m.location, m.group_id, m.account, m.chat, m.message, m.state, m.reason, m.reactions, m.deleted_at,
        )
        .outerjoin(_staff, _staff.c.id == m.staff_id)
        .where(*wanted)
        .order_by(m.seq)
    ).mappings().all()  # fmt: skip
    files: dict[int, list[Shown]] = {}
    for start in range(0, len(rows), 500):
        found = session.execute(
            select(ticket_files.c.message_id, a.kind, a.name, a.sha, a.account, a.file_id)
            .join(ticket_files, ticket_files.c.attachment_id == a.id)
            .where(ticket_files.c.message_id.in_([row["id"] for row in rows[start : start + 500]]))
            .order_by(a.id)
        )
        for message_id, *values in found:
            files.setdefault(message_id, []).append(Shown(*values))
    return [Line(**row, files=tuple(files.get(row["id"], ()))) for row in rows]


def units(lines: Sequence[Line]) -> list[Unit]:
    """What goes together: the parts of an album, and plain words of the customer's that wait together."""
    found: list[Unit] = []
    for line in lines:
        last = found[-1] if found else None
        before = last.lines[-1] if last else None
        if last and before and line.group_id and line.group_id == before.group_id and len(last.lines) < 10:
            found[-1] = Unit((*last.lines, line), album=True)
        elif last and before and _joins(before, line) and sum(len(one.text) for one in last.lines) < JOINED_CHARS_MAX:
            found[-1] = Unit((*last.lines, line))
        else:
            found.append(Unit((line,), album=line.group_id is not None))
    return found


def _joins(before: Line, line: Line) -> bool:
    return all(
        one.who == CUSTOMER and not one.files and one.location is None and one.reply_to is None and one.group_id is None
        and len(one.text) <= JOINED_CHARS_MAX // 4
        for one in (before, line)
    )  # fmt: skip


def sends(said: Words, unit: Unit, account: str) -> list[Send]:
    """The calls that show a unit in a group of this account of ours."""
    first = unit.lines[0]
    top = forum_words.head(said, first.who, first.staff)
    if len(unit.lines) > 1 and not unit.album:
        return _texts(top, "\n".join(line.text for line in unit.lines), unit.lines)
    if first.location is not None:
        named = "\n".join(part for part in (str(first.location.get("name") or ""), first.text) if part)
        place = Send("sendLocation", {"latitude": first.location["lat"], "longitude": first.location["lon"]}, (first,))
        return [place, *(_texts(top, named, (first,)) if named or top else [])]
    files = [(line, file) for line in unit.lines for file in line.files]
    if not files:
        return _texts(top, "\n".join(line.text for line in unit.lines), unit.lines)
    if len(files) == 1:
        return _single(top, *files[0], account)
    return _album(top, unit, files, account)


def _texts(top: str, text: str, lines: Sequence[Line]) -> list[Send]:
    return [
        Send(
            "sendMessage",
            {"text": part, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}},
            tuple(lines),
        )
        for part in forum_words.spoken(top, text)
    ]


def _caption(top: str, text: str) -> dict[str, Any]:
    said = "\n".join(part for part in (top, escape(text)) if part)
    return {"caption": said, "parse_mode": "HTML"} if said else {}


def _medium(file: Shown, account: str) -> Any:
    """What a call names a file by: the messenger's own name for it, or its bytes in the store; None where neither is had."""
    if file.file_id and file.account == account:
        return file.file_id
    return {"$media": file.sha, "name": file.name or "file"} if file.sha else None


def _single(top: str, line: Line, file: Shown, account: str) -> list[Send]:
    medium = _medium(file, account)
    fits = len(line.text) <= CAPTION_CHARS_MAX
    after = _texts("", line.text, (line,)) if line.text and not fits else []
    if file.kind in COPIED and line.who == CUSTOMER and line.account == account and line.message is not None:
        caption = _caption(top, line.text) if line.text and fits else {}
        return [
            Send("copyMessage", {"from_chat_id": line.chat, "message_id": line.message, **caption}, (line,)),
            *after,
        ]
    if medium is None:
        return _texts(top, line.words, (line,))
    kind = file.kind if file.kind in SEND else "document"
    caption = {} if kind == "sticker" else _caption(top, line.text if fits else "")
    return [Send(SEND[kind], {kind: medium, **caption}, (line,)), *after]


def _album(top: str, unit: Unit, files: list[tuple[Line, Shown]], account: str) -> list[Send]:
    """Pictures together as one album; what can't stand in the same one goes alone."""
    kinds = {file.kind for _, file in files}
    media = [_medium(file, account) for _, file in files]
    text = "\n".join(line.text for line in unit.lines if line.text)
    after = _texts("", text, unit.lines[:1]) if len(text) > CAPTION_CHARS_MAX else []
    if None in media or not any(kinds <= together for together in ALBUMS):
        if len(unit.lines) > 1:
            return [call for line, file in files for call in _single(top, line, file, account)]
        alone = [call for line, file in files for call in _single("", replace(line, text=""), file, account)]
        return [*alone, *(_texts(top, text, unit.lines) if top or text else [])]
    items: list[dict[str, Any]] = [
        {"type": file.kind, "media": medium} for (_, file), medium in zip(files, media, strict=True)
    ]
    if not after and len(unit.lines) == 1:
        items[0] |= _caption(top, text)
    elif not after:
        items = [
            {**item, **_caption(top if place == 0 else "", line.text)}
            for place, (item, (line, _)) in enumerate(zip(items, files, strict=True))
        ]
    return [Send("sendMediaGroup", {"media": items}, unit.lines), *after]
