"""Rules: which of a shop's tickets go to which team. An ordered list; the first that fits a ticket counts."""

from dataclasses import asdict, dataclass

from sqlalchemy import ForeignKey, Index, Text, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers.customers import LANGUAGES
from loyalty.tiers import tiers
from store import audit
from store.base import Base, BigId, table
from store.errors import InvalidError, NotFoundError
from store.staff import Member, Right
from support import topics
from support.routing import teams
from support.routing.teams import Team

RULES_MAX = 50


class RuleRow(Base):
    __tablename__ = "routing_rules"
    __table_args__ = (Index("ix_routing_rules_shop", "shop_id", "place"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    place: Mapped[int]
    topic: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    tier_id: Mapped[int | None]
    """This tier and those above."""
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))


@dataclass(frozen=True, slots=True)
class Rule:
    """`topic`, `language`, `tier_id` (this tier or above) → team; what is None asks for nothing."""

    id: int
    topic: str | None
    language: str | None
    tier_id: int | None
    team_id: int

    @property
    def takes_all(self) -> bool:
        """Whether it fits every ticket: the last of the list."""
        return (self.topic, self.language, self.tier_id) == (None, None, None)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A shop's rules with its teams (at least one), and where each tier stands."""

    rules: tuple[Rule, ...]
    teams: dict[int, Team]
    ranks: dict[int, int]

    def of(self, topic: str, language: str, tier_id: int | None) -> tuple[Rule | None, Team]:
        """The rule that fits a ticket, and the team it names; without one it is the shop's first team."""
        for rule in self.rules:
            if (
                rule.topic in {None, topic} and rule.language in {None, language} and rule.team_id in self.teams
                and (rule.tier_id is None or self._rank(tier_id) >= self._rank(rule.tier_id))
            ):  # fmt: skip
                return rule, self.teams[rule.team_id]
        return None, next(iter(self.teams.values()))

    def _rank(self, tier_id: int | None) -> int:
        return self.ranks.get(tier_id or 0, 0)


rules = table(RuleRow)


def book(session: Session, shop_id: int) -> Rulebook | None:
    """A shop's rules; None where it has no team."""
    found = {team.id: team for team in teams.of(session, shop_id)}
    if not found:
        return None
    ranks = {tier.id: rank for rank, tier in enumerate(tiers.every(session))}
    return Rulebook(tuple(of(session, shop_id)), found, ranks)


def of(session: Session, shop_id: int) -> list[Rule]:
    """A shop's rules in their order, the one that takes all last."""
    r = rules.c
    rows = session.execute(
        select(r.id, r.topic, r.language, r.tier_id, r.team_id).where(r.shop_id == shop_id).order_by(r.place, r.id)
    )
    return sorted((Rule(*row) for row in rows), key=lambda rule: rule.takes_all)


def add(
    session: Session,
    member: Member,
    shop_id: int,
    team_id: int,
    *,
    topic: str | None = None,
    language: str | None = None,
    tier_id: int | None = None,
) -> int:
    """Add a rule at the end; its number. One without conditions takes the place of the one that takes all.

    Raises ForbiddenError, NotFoundError (team), InvalidError (`topic`, `language`, `tier`, `team`: count).
    """
    member.need(Right.CONSOLE, shop_id)
    team = teams.get(session, shop_id, team_id)
    if topic is not None:
        topics.check(session, shop_id, topic)
    if language is not None and language not in LANGUAGES:
        raise InvalidError("language", "unknown", language)
    if tier_id is not None and tier_id not in tiers.names(session):
        raise InvalidError("tier", "unknown", tier_id)
    known = _held(session, shop_id)
    if len(known) >= RULES_MAX:
        raise InvalidError("team", "count", RULES_MAX)
    rule = Rule(0, topic, language, tier_id, team.id)
    same = next((one for one in known if (one.topic, one.language, one.tier_id) == (topic, language, tier_id)), None)
    if same is not None:
        session.execute(update(rules).where(rules.c.id == same.id).values(team_id=team.id))
        number = same.id
    else:
        values = {**asdict(rule), "shop_id": shop_id, "place": len(known) + 1}
        del values["id"]
        number = int(session.execute(insert(rules).values(**values).returning(rules.c.id)).scalar_one())
    _record(session, member, shop_id, known)
    return number


def move(session: Session, member: Member, shop_id: int, rule_id: int, up: bool) -> None:
    """Let a rule count before its neighbour above, or after the one below. Raises ForbiddenError, NotFoundError."""
    member.need(Right.CONSOLE, shop_id)
    known = _held(session, shop_id)
    order = [one.id for one in known]
    if rule_id not in order:
        raise NotFoundError("rule", rule_id)
    here = order.index(rule_id)
    other = here - 1 if up else here + 1
    if not 0 <= other < len(order) or known[here].takes_all or known[other].takes_all:
        return
    order[here], order[other] = order[other], order[here]
    _put(session, order)
    _record(session, member, shop_id, known)


def remove(session: Session, member: Member, shop_id: int, rule_id: int) -> None:
    """Take a rule out of the list. Raises ForbiddenError, NotFoundError."""
    member.need(Right.CONSOLE, shop_id)
    known = _held(session, shop_id)
    if all(one.id != rule_id for one in known):
        raise NotFoundError("rule", rule_id)
    session.execute(delete(rules).where(rules.c.id == rule_id))
    _put(session, [one.id for one in known if one.id != rule_id])
    _record(session, member, shop_id, known)


def _held(session: Session, shop_id: int) -> list[Rule]:
    """A shop's rules, held still: who changes the list at the same time waits."""
    session.execute(select(rules.c.id).where(rules.c.shop_id == shop_id).order_by(rules.c.id).with_for_update()).all()
    return of(session, shop_id)


def _put(session: Session, order: list[int]) -> None:
    for place, rule_id in enumerate(order, start=1):
        session.execute(update(rules).where(rules.c.id == rule_id).values(place=place))


def _record(session: Session, member: Member, shop_id: int, before: list[Rule]) -> None:
    after = of(session, shop_id)
    if after != before:
        changed = {"rules": [[asdict(one) for one in known] for known in (before, after)]}
        audit.record(session, f"staff:{member.id}", "routing_rules_changed", shop_id, changed=changed)
