"""Terms: how a shop goes about complaints: who may make good for how much, when it asks whether all is well, what it counts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import JSON, ForeignKey, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, table
from store.errors import InvalidError
from store.prepared import Prepared
from store.staff import Member, Role

MONEY_MAX = 1_000_000_000
CAUSES_MAX = 30
CAUSE_CHARS_MAX = 60


@dataclass(frozen=True, slots=True)
class Limit:
    """What somebody may give by themselves, in đồng, in one case and in one day of the shop's; None: as much as it takes."""

    case: int | None
    day: int | None


_NOTHING, _FREE = Limit(0, 0), Limit(None, None)
LIMITED = (Role.AGENT, Role.SUPERVISOR, Role.MANAGER)
"""The roles that have a limit; an owner has none."""
DEFAULT_LIMITS: Mapping[str, Limit] = {
    Role.AGENT: Limit(50_000, 200_000), Role.SUPERVISOR: Limit(200_000, 1_000_000),
    Role.MANAGER: Limit(1_000_000, 5_000_000),
}  # fmt: skip


class TermsRow(Base):
    __tablename__ = "complaint_terms"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), primary_key=True, autoincrement=False)
    check_days: Mapped[int]
    tries: Mapped[int]
    repeat_days: Mapped[int]
    recovery_stars: Mapped[int]
    big_order: Mapped[int]
    limits: Mapped[dict[str, Any]] = mapped_column(JSON)
    causes: Mapped[list[str]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Terms:
    """`check_days` after the answer the customer is asked whether all is well, at most `tries` times. A complaint within
    `repeat_days` of an earlier one is a repeated one. A rating of at most `recovery_stars` opens a recovery case (0: none).
    An order from `big_order` đồng on raises the level. `causes` are the shop's root causes to choose from.
    """

    check_days: int = 4
    tries: int = 3
    repeat_days: int = 90
    recovery_stars: int = 2
    big_order: int = 500_000
    limits: Mapping[str, Limit] = field(default_factory=lambda: DEFAULT_LIMITS)
    causes: tuple[str, ...] = ()

    def limit_of(self, member: Member, shop_id: int) -> Limit:
        """The limit of somebody at a shop: that of the highest of their roles there."""
        roles = [role for role, at in member.roles if at in {None, shop_id}]
        if Role.OWNER in roles:
            return _FREE
        return next((self.limits[role] for role in reversed(LIMITED) if role in roles), _NOTHING)


RANGES = {
    "check_days": (3, 7), "tries": (1, 6), "repeat_days": (1, 730), "recovery_stars": (0, 3), "big_order": (1, MONEY_MAX),
}  # fmt: skip
terms = table(TermsRow)
_FIELDS = tuple(terms.c[name] for name in Terms.__dataclass_fields__)
_OF = Prepared(select(*_FIELDS).where(terms.c.shop_id == bindparam("shop")))


def of(session: Session, shop_id: int) -> Terms:
    """A shop's terms; those of a new one until they are changed."""
    found = _OF(session, shop=shop_id)
    if not found:
        return Terms()
    values = dict(zip(Terms.__dataclass_fields__, found[0], strict=True))
    limits = {role: Limit(*values["limits"].get(role, asdict(DEFAULT_LIMITS[role]).values())) for role in LIMITED}
    return Terms(**{**values, "limits": limits, "causes": tuple(values["causes"])})


def change(session: Session, shop_id: int, new: Terms, actor: str) -> None:
    """Set a shop's terms. Raises InvalidError naming the field (`agent_case`, `manager_day` … for a limit)."""
    for name, (low, high) in RANGES.items():
        if not low <= getattr(new, name) <= high:
            raise InvalidError(name, "range", getattr(new, name))
    for role in LIMITED:
        limit = new.limits[role]
        for name, most in (("case", limit.case), ("day", limit.day)):
            if most is not None and not 0 <= most <= MONEY_MAX:
                raise InvalidError(f"{role.value}_{name}", "range", most)
    causes = tuple(dict.fromkeys(" ".join(cause.split()) for cause in new.causes if cause.strip()))
    if len(causes) > CAUSES_MAX or any(len(cause) > CAUSE_CHARS_MAX for cause in causes):
        raise InvalidError("causes", "length", len(causes))
    before = of(session, shop_id)
    values: dict[str, Any] = {name: getattr(new, name) for name in RANGES}
    values |= {
        "limits": {role.value: [new.limits[role].case, new.limits[role].day] for role in LIMITED},
        "causes": list(causes),
    }
    try:
        with session.begin_nested():
            session.execute(insert(terms).values(shop_id=shop_id, **values))
    except IntegrityError:
        session.execute(update(terms).where(terms.c.shop_id == shop_id).values(**values))
    audit.record(
        session, actor, "complaint_terms", shop_id, before=_written(before), after=_written(of(session, shop_id))
    )


def _written(known: Terms) -> dict[str, Any]:
    return {
        **{name: getattr(known, name) for name in RANGES}, "causes": list(known.causes),
        "limits": {str(role): [limit.case, limit.day] for role, limit in known.limits.items()},
    }  # fmt: skip
