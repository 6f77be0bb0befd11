"""Webhooks: endpoints of other systems that are told what happens at a shop. What each is told is in `deliveries`."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import outside
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.signals import signal

TOPIC = "webhooks"
EVERY = "*"
"""An endpoint of this kind hears of everything."""
ENDPOINTS_MAX = 20
"""Endpoints of one shop."""
NOTE_CHARS_MAX = 80
SECRET_BYTES = 24
OVERLAP = timedelta(days=1)
"""How long the old secret signs beside a new one, so that a receiver may change over in its own time."""


class Off(StrEnum):
    """Why an endpoint is told nothing."""

    BY_HAND = "by_hand"
    FAILING = "failing"
    GONE = "gone"
    """It answered 410."""


class EndpointRow(Base):
    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    url: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    """What it is for, in the owner's words."""
    kinds: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(Text)
    """Sealed (store.sealed)."""
    old_secret: Mapped[str | None] = mapped_column(Text)
    """The one before, sealed too; it signs beside the new one until `old_until`."""
    old_until: Mapped[datetime | None] = mapped_column(UtcTime)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    off: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(default=0)
    """Failed tries since the last one that went well."""
    failing_since: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as pages see it; its secret is no part of it."""

    id: int
    shop_id: int
    url: str
    note: str
    kinds: list[str]
    created_at: datetime
    off: str | None
    failures: int
    failing_since: datetime | None
    old_until: datetime | None
    """Until when the secret before the present one signs too."""


endpoints = table(EndpointRow)
FIELDS = tuple(endpoints.c[name] for name in Endpoint.__dataclass_fields__)


def add(
    session: Session,
    shop_id: int,
    url: str,
    kinds: Sequence[str],
    sealed: str,
    *,
    note: str = "",
    private: bool = False,
) -> Endpoint:
    """Register an endpoint of a shop; it hears of what happens from now on. `sealed`: its secret (store.sealed).

    Raises InvalidError("url" with format, https, private; "kinds", "note"), ConflictError where there are enough.
    """
    values = {"url": _url(url, private=private), "kinds": _kinds(kinds), "note": _note(note)}
    if len(of_shop(session, shop_id)) >= ENDPOINTS_MAX:
        raise ConflictError(f"a shop has {ENDPOINTS_MAX} endpoints at most")
    made = session.execute(
        insert(endpoints)
        .values(shop_id=shop_id, secret=sealed, created_at=now(session), failures=0, **values)
        .returning(endpoints.c.id)
    )
    return get(session, made.scalar_one(), shop_id)


def get(session: Session, endpoint_id: int, shop_id: int, *, lock: bool = False) -> Endpoint:
    """A shop's endpoint; raises NotFoundError."""
    wanted = select(*FIELDS).where(endpoints.c.id == endpoint_id, endpoints.c.shop_id == shop_id)
    row = session.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise NotFoundError("webhook", endpoint_id)
    return Endpoint(*row)


def of_shop(session: Session, shop_id: int) -> list[Endpoint]:
    """A shop's endpoints, the oldest first."""
    rows = session.execute(select(*FIELDS).where(endpoints.c.shop_id == shop_id).order_by(endpoints.c.id))
    return [Endpoint(*row) for row in rows]


def change(
    session: Session, endpoint_id: int, shop_id: int, *, private: bool = False, url: str | None = None,
    kinds: Sequence[str] | None = None, note: str | None = None, on: bool | None = None,
) -> tuple[Endpoint, Endpoint]:  # fmt: skip
    """Change what is given; the endpoint before and after. Switched on again, what waited for it leaves at once.

    Raises NotFoundError, InvalidError as `add`.
    """
    before = get(session, endpoint_id, shop_id, lock=True)
    values: dict[str, Any] = {}
    if url is not None:
        values["url"] = _url(url, private=private)
    if kinds is not None:
        values["kinds"] = _kinds(kinds)
    if note is not None:
        values["note"] = _note(note)
    if on is not None and on != (before.off is None):
        values |= {"off": None if on else Off.BY_HAND.value, "failures": 0, "failing_since": None}
    if values:
        session.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(**values))
        signal(session, TOPIC)
    return before, get(session, endpoint_id, shop_id)


def renew(session: Session, endpoint_id: int, shop_id: int, sealed: str) -> Endpoint:
    """Give an endpoint a new secret (`sealed`); the one it had signs beside it for a day. Raises NotFoundError."""
    get(session, endpoint_id, shop_id, lock=True)
    session.execute(
        update(endpoints)
        .where(endpoints.c.id == endpoint_id)
        .values(secret=sealed, old_secret=endpoints.c.secret, old_until=now(session) + OVERLAP)
    )
    return get(session, endpoint_id, shop_id)


def remove(session: Session, endpoint_id: int, shop_id: int) -> Endpoint:
    """Forget an endpoint and what it was told. Raises NotFoundError."""
    gone = get(session, endpoint_id, shop_id, lock=True)
    session.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))
    return gone


def broken(session: Session, shop_id: int) -> list[Endpoint]:
    """Endpoints of a shop that were switched off because nothing reached them any more."""
    return [one for one in of_shop(session, shop_id) if one.off in {Off.FAILING, Off.GONE}]


def _url(url: str, *, private: bool) -> str:
    url = url.strip()
    problem = outside.url_problem(url, private=private)
    if problem is not None:
        raise InvalidError("url", problem, url[:100])
    return url.partition("#")[0]


def _kinds(kinds: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(kinds))
    if not found:
        raise InvalidError("kinds", "missing")
    return found


def _note(note: str) -> str:
    note = " ".join(note.split())
    if len(note) > NOTE_CHARS_MAX:
        raise InvalidError("note", "length", note)
    return note


def new_secret() -> str:
    """A secret as receivers' libraries take it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secrets_: Sequence[str], name: str, timestamp: int, body: str) -> str:
    """What stands in `webhook-signature`: a signature by each secret that is valid, the newest first."""
    said = f"{name}.{timestamp}.{body}".encode()
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets_]
    return " ".join(f"v1,{base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()}" for key in keys)
