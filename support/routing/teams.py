"""Teams: who looks after a shop's tickets together. With its first team a shop has routing, without one nothing of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, ForeignKey, Index, Text, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit, staff
from store.base import Base, BigId, table
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.prepared import Prepared
from store.staff import Member, Right
from store.text import fold

NAME_CHARS_MAX = 40
TEAMS_MAX = 30


class TeamRow(Base):
    __tablename__ = "teams"
    __table_args__ = (Index("ix_teams_shop", "shop_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shops.id"))
    """Whose tickets it looks after; empty: every shop's."""
    name: Mapped[str] = mapped_column(Text)
    everyone: Mapped[bool]
    """Whoever has the shop's desk is in it; else those who are listed."""


class TeamMemberRow(Base):
    __tablename__ = "team_members"

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True, autoincrement=False)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False, index=True)


@dataclass(frozen=True, slots=True)
class Team:
    """`shop_id` None: it looks after every shop's tickets. `listed` are its members where not `everyone` of the desk is."""

    id: int
    shop_id: int | None
    name: str
    everyone: bool
    listed: frozenset[int]

    def has(self, member: Member, shop_id: int) -> bool:
        """Whether somebody is in it who may work at this shop's desk."""
        return member.may(Right.DESK, shop_id) and (self.everyone or member.id in self.listed)


team_table = table(TeamRow)
members = table(TeamMemberRow)
_ON = Prepared(
    select(team_table.c.id)
    .where(or_(team_table.c.shop_id == bindparam("shop"), team_table.c.shop_id.is_(None)))
    .limit(1)
)


def anywhere(session: Session) -> bool:
    """Whether any shop has a team."""
    return session.execute(select(team_table.c.id).limit(1)).first() is not None


def on(session: Session, shop_id: int) -> bool:
    """Whether tickets of a shop are routed."""
    return bool(_ON(session, shop=shop_id))


def of(session: Session, shop_id: int) -> list[Team]:
    """The teams that look after a shop's tickets, the oldest first."""
    t = team_table.c
    rows = session.execute(select(t.id, t.shop_id, t.name, t.everyone).where(_of(shop_id)).order_by(t.id)).all()
    listed: dict[int, set[int]] = {row.id: set() for row in rows}
    for team_id, staff_id in session.execute(
        select(members.c.team_id, members.c.staff_id).where(members.c.team_id.in_(listed))
    ):
        listed[team_id].add(staff_id)
    return [Team(*row, listed=frozenset(listed[row.id])) for row in rows]


def get(session: Session, shop_id: int, team_id: int) -> Team:
    """A team that looks after a shop's tickets; raises NotFoundError."""
    for team in of(session, shop_id):
        if team.id == team_id:
            return team
    raise NotFoundError("team", team_id)


def desk_of(session: Session, shop_id: int) -> list[Member]:
    """Who has a shop's desk, by name."""
    return [member for member in staff.every(session) if member.may(Right.DESK, shop_id)]


def save(
    session: Session,
    member: Member,
    shop_id: int,
    team_id: int | None,
    *,
    name: str,
    everyone: bool,
    listed: Sequence[int],
    all_shops: bool = False,
) -> int:
    """Make a team (without a number) or change one; its number. A team of all shops is for who may set up every shop.

    Raises ForbiddenError, NotFoundError, InvalidError (`name`: length, taken; `listed`: empty, unknown; `team`: count).
    """
    member.need(Right.CONSOLE, shop_id)
    before = None if team_id is None else _hers(session, member, shop_id, team_id)
    all_shops = before.shop_id is None if before else all_shops
    if all_shops and not member.everywhere(Right.CONSOLE):
        raise ForbiddenError(Right.CONSOLE)
    name = re.sub(r"\s+", " ", name.replace("\x00", "")).strip()
    known = of(session, shop_id)
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    if any(fold(one.name) == fold(name) and one.id != team_id for one in known):
        raise InvalidError("name", "taken", name)
    if before is None and len(known) >= TEAMS_MAX:
        raise InvalidError("name", "count", TEAMS_MAX)
    able = {one.id for one in staff.every(session) if one.may(Right.DESK, None if all_shops else shop_id)}
    # Who is listed and has lost the desk since stays in the list, and counts for nothing.
    chosen = frozenset() if everyone else frozenset(listed)
    if not everyone and not chosen & able:
        raise InvalidError("listed", "empty")
    if chosen - able - (before.listed if before else frozenset()):
        raise InvalidError("listed", "unknown")
    if before is None:
        values = {"shop_id": None if all_shops else shop_id, "name": name, "everyone": everyone}
        team_id = int(session.execute(insert(team_table).values(**values).returning(team_table.c.id)).scalar_one())
    else:
        session.execute(update(team_table).where(team_table.c.id == team_id).values(name=name, everyone=everyone))
        session.execute(delete(members).where(members.c.team_id == team_id))
    if chosen:
        session.execute(insert(members), [{"team_id": team_id, "staff_id": one} for one in sorted(chosen)])
    assert team_id is not None
    after = Team(team_id, before.shop_id if before else (None if all_shops else shop_id), name, everyone, chosen)
    if after != before:
        _record(session, member, shop_id, "team_changed" if before else "team_added", before, after)
    return team_id


def remove(session: Session, member: Member, shop_id: int, team_id: int) -> None:
    """Dissolve a team; rules that named it go with it. Raises NotFoundError, ForbiddenError."""
    from support.routing.rules import rules

    member.need(Right.CONSOLE, shop_id)
    team = _hers(session, member, shop_id, team_id)
    session.execute(delete(rules).where(rules.c.team_id == team_id))
    session.execute(delete(members).where(members.c.team_id == team_id))
    session.execute(delete(team_table).where(team_table.c.id == team_id))
    _record(session, member, shop_id, "team_removed", team, None)


def _of(shop_id: int) -> ColumnElement[bool]:
    return or_(team_table.c.shop_id == shop_id, team_table.c.shop_id.is_(None))


def _hers(session: Session, member: Member, shop_id: int, team_id: int) -> Team:
    """A team that the member may change, held; one of all shops only by who may set up every shop."""
    session.execute(select(team_table.c.id).where(team_table.c.id == team_id).with_for_update())
    team = get(session, shop_id, team_id)
    if team.shop_id is None and not member.everywhere(Right.CONSOLE):
        raise NotFoundError("team", team_id)
    return team


def _record(
    session: Session, member: Member, shop_id: int, action: str, before: Team | None, after: Team | None
) -> None:
    team = after or before
    assert team is not None
    facts = [
        None if one is None else {"name": one.name, "everyone": one.everyone, "listed": sorted(one.listed)}
        for one in (before, after)
    ]
    audit.record(session, f"staff:{member.id}", action, shop_id, team=team.id, changed={"team": facts})
