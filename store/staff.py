"""Staff: who works for the shops, in which role where, how they sign in, which keys their systems hold."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Text, UniqueConstraint, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import secret
from store.base import Base, BigId, UtcTime
from store.clock import now
from store.errors import ForbiddenError, InvalidError, NotFoundError

LINK_LIVES = timedelta(hours=24)
NAME_CHARS_MAX = 80
KEY_HINT_SIGNS = 7
"""`rk_` and four signs: of 192 random bits 168 stay unseen."""


class Role(StrEnum):
    """What somebody is at a shop; RIGHTS says what each may do."""

    OWNER = "owner"
    MANAGER = "manager"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    CASHIER = "cashier"


class Right(StrEnum):
    """What a page or a button asks for."""

    DESK = "desk"
    """Read and answer the shop's tickets."""
    SUPERVISE = "supervise"
    """Assign others, see everybody's tickets and dead letters."""
    REPORTS = "reports"
    """See how the shop's desk does."""
    TILL = "till"
    """Take orders and vouchers at the counter."""
    CONSOLE = "console"
    """Offers, settings and figures of the shop."""
    STAFF = "staff"
    """Add and remove people, hand out keys."""


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.MANAGER: frozenset({Right.CONSOLE, Right.TILL, Right.DESK, Right.REPORTS}),
    Role.SUPERVISOR: frozenset({Right.DESK, Right.SUPERVISE, Right.REPORTS}),
    Role.AGENT: frozenset({Right.DESK}),
    Role.CASHIER: frozenset({Right.TILL}),
}


class StaffRow(Base):
    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(default=True)
    session_epoch: Mapped[int] = mapped_column(default=1)
    """Signed cookies carry it: raising it ends every session of the person."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class StaffRole(Base):
    """A role at one shop, or at every shop where `shop_id` is empty."""

    __tablename__ = "staff_roles"
    __table_args__ = (UniqueConstraint("staff_id", "shop_id", "role"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shops.id"))
    role: Mapped[str] = mapped_column(Text)


class StaffAccount(Base):
    """A messenger account that belongs to a member of staff."""

    __tablename__ = "staff_accounts"

    account: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)


class StaffLink(Base):
    """A single-use link: `login` opens a browser session, `bind` ties a messenger account."""

    __tablename__ = "staff_links"

    hash: Mapped[str] = mapped_column(Text, primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text, default="")
    """Where to go after signing in."""
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ApiKey(Base):
    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text, default="")
    """What it is for, in the owner's words."""
    hint: Mapped[str] = mapped_column(Text, default="")
    """Its first signs, to tell it from others."""
    hash: Mapped[str] = mapped_column(Text, unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as a list shows it; the key itself is nowhere."""

    id: int
    shop_id: int
    name: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff as a page sees them: `roles` are (role, shop number or None for every shop)."""

    id: int
    name: str
    language: str
    session_epoch: int
    roles: tuple[tuple[Role, int | None], ...]

    def may(self, right: Right, shop_id: int | None = None) -> bool:
        """Whether a role of theirs grants the right at this shop (at any shop, where none is named)."""
        return any(
            right in RIGHTS[role] and (at is None or shop_id is None or at == shop_id) for role, at in self.roles
        )

    def need(self, right: Right, shop_id: int | None = None) -> None:
        """Raises ForbiddenError unless `may`."""
        if not self.may(right, shop_id):
            raise ForbiddenError(right)

    def everywhere(self, right: Right) -> bool:
        """Whether a role at every shop, those to come too, grants the right."""
        return any(right in RIGHTS[role] and at is None for role, at in self.roles)

    def above(self, other: "Member") -> bool:
        """Whether they may remove `other` or hand them a way in: only where they hand out rights wherever `other` works,
        else a link for somebody higher would be a way up.
        """
        return all(self.everywhere(Right.STAFF) if at is None else self.may(Right.STAFF, at) for _, at in other.roles)

    def shops(self, right: Right, every: list[int]) -> list[int]:
        """The shops, of all that there are, where they have a right."""
        return [shop_id for shop_id in every if self.may(right, shop_id)]


def add(session: Session, name: str, role: Role, shop_id: int | None, language: str = "vi") -> int:
    """Add a member of staff; their number. The same name is another person. Raises InvalidError."""
    name = re.sub(r"\s+", " ", name).strip()
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    person = StaffRow(name=name, language=language, created_at=now(session))
    session.add(person)
    session.flush()
    session.add(StaffRole(staff_id=person.id, shop_id=shop_id, role=role.value))
    return person.id


def get(session: Session, staff_id: int) -> Member:
    """An active member; raises NotFoundError."""
    found = _members(session, StaffRow.id == staff_id)
    if not found:
        raise NotFoundError("staff", staff_id)
    return found[0]


def every(session: Session) -> list[Member]:
    """All active members, by name."""
    return _members(session)


def _members(session: Session, *wanted: ColumnElement[bool]) -> list[Member]:
    """Active members with their roles, by name, in one look: it stands on the way of every page."""
    rows = session.execute(
        select(
            StaffRow.id, StaffRow.name, StaffRow.language, StaffRow.session_epoch, StaffRole.role, StaffRole.shop_id
        )
        .outerjoin(StaffRole, StaffRole.staff_id == StaffRow.id)
        .where(StaffRow.active, *wanted)
        .order_by(StaffRow.name, StaffRow.id, StaffRole.id)
    )  # fmt: skip
    people: dict[int, tuple[str, str, int]] = {}
    roles: dict[int, list[tuple[Role, int | None]]] = {}
    for row in rows:
        people[row.id] = (row.name, row.language, row.session_epoch)
        held = roles.setdefault(row.id, [])
        if row.role is not None:
            held.append((Role(row.role), row.shop_id))
    return [Member(number, *known, roles=tuple(roles[number])) for number, known in people.items()]


def find(session: Session, name: str) -> list[Member]:
    """Active members of this name or number."""
    return [member for member in every(session) if name.strip() in {member.name, str(member.id)}]


def by_account(session: Session, account: str, user_id: int) -> Member | None:
    """The member of staff behind a messenger account."""
    staff_id = session.execute(
        select(StaffAccount.staff_id)
        .join(StaffRow, StaffRow.id == StaffAccount.staff_id)
        .where(StaffAccount.account == account, StaffAccount.user_id == user_id, StaffRow.active)
    ).scalar()
    return None if staff_id is None else get(session, staff_id)


def accounts_of(session: Session, staff_id: int) -> list[tuple[str, int]]:
    """The messenger accounts of a member: the shop's account there, and who they are on it."""
    rows = session.execute(
        select(StaffAccount.account, StaffAccount.user_id)
        .where(StaffAccount.staff_id == staff_id)
        .order_by(StaffAccount.account, StaffAccount.user_id)
    )
    return [(account, user_id) for account, user_id in rows]


def remove(session: Session, staff_id: int) -> None:
    """Take somebody out: sessions end, links die, the messenger account is let go. Raises NotFoundError."""
    get(session, staff_id)
    session.execute(
        update(StaffRow).where(StaffRow.id == staff_id).values(active=False, session_epoch=StaffRow.session_epoch + 1)
    )
    session.execute(delete(StaffAccount).where(StaffAccount.staff_id == staff_id))
    session.execute(delete(StaffLink).where(StaffLink.staff_id == staff_id))


def make_link(session: Session, staff_id: int, kind: str, path: str = "") -> str:
    """A single-use token that lives 24 hours: `login` for a browser, `bind` for a messenger."""
    secret_token = secret.token()
    session.add(
        StaffLink(
            hash=secret.digest(secret_token), staff_id=staff_id, kind=kind, path=path,
            expires_at=now(session) + LINK_LIVES,
        )
    )  # fmt: skip
    return secret_token


def link_owner(session: Session, kind: str, secret_token: str) -> Member | None:
    """Whose link this is, while it can be used, without using it (a messenger's preview opens links too)."""
    staff_id = session.execute(
        select(StaffLink.staff_id).where(
            StaffLink.hash == secret.digest(secret_token), StaffLink.kind == kind,
            StaffLink.used_at.is_(None), StaffLink.expires_at > now(session),
        )
    ).scalar()  # fmt: skip
    return None if staff_id is None else get(session, staff_id)


def use_link(session: Session, kind: str, secret_token: str) -> tuple[Member, str]:
    """Use a link, once: the member and the path it leads to. Raises NotFoundError when it is wrong, used or expired."""
    row = session.execute(
        update(StaffLink)
        .where(
            StaffLink.hash == secret.digest(secret_token), StaffLink.kind == kind,
            StaffLink.used_at.is_(None), StaffLink.expires_at > now(session),
        )
        .values(used_at=now(session))
        .returning(StaffLink.staff_id, StaffLink.path)
    ).first()  # fmt: skip
    if row is None:
        raise NotFoundError("link", kind)
    return get(session, row.staff_id), row.path


def bind(session: Session, account: str, user_id: int, secret_token: str) -> Member:
    """Tie a messenger account to a member by a `bind` link. Raises NotFoundError as `use_link` does."""
    member, _ = use_link(session, "bind", secret_token)
    session.execute(delete(StaffAccount).where(StaffAccount.account == account, StaffAccount.user_id == user_id))
    session.add(StaffAccount(account=account, user_id=user_id, staff_id=member.id))
    return member


def add_api_key(session: Session, shop_id: int, name: str = "") -> str:
    """A new API key of a shop; shown once, only its hash is kept. Raises InvalidError("name")."""
    name = re.sub(r"\s+", " ", name).strip()
    if len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    key = f"rk_{secret.token(24)}"
    session.add(
        ApiKey(
            shop_id=shop_id, name=name, hint=key[:KEY_HINT_SIGNS], hash=secret.digest(key), created_at=now(session)
        )
    )  # fmt: skip
    return key


def api_keys(session: Session, shop_id: int) -> list[Key]:
    """A shop's keys, the newest first, revoked ones among them."""
    rows = session.execute(
        select(ApiKey.id, ApiKey.shop_id, ApiKey.name, ApiKey.hint, ApiKey.created_at, ApiKey.revoked_at)
        .where(ApiKey.shop_id == shop_id)
        .order_by(ApiKey.id.desc())
    )
    return [Key(*row) for row in rows]


def revoke_api_key(session: Session, key_id: int, shop_id: int) -> None:
    """Let a shop's key work no longer, from the next call on; repeatable. Raises NotFoundError."""
    row = session.execute(
        select(ApiKey.revoked_at).where(ApiKey.id == key_id, ApiKey.shop_id == shop_id).with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("api key", key_id)
    if row.revoked_at is None:
        session.execute(update(ApiKey).where(ApiKey.id == key_id).values(revoked_at=now(session)))


def api_key(session: Session, key: str) -> tuple[int, int]:
    """(key number, shop number) of a valid API key; raises NotFoundError."""
    row = session.execute(
        select(ApiKey.id, ApiKey.shop_id).where(ApiKey.hash == secret.digest(key), ApiKey.revoked_at.is_(None))
    ).first()
    if row is None:
        raise NotFoundError("api key", "")
    return row.id, row.shop_id
