"""Fields of what the programme gives a customer: points, tier, vouchers, and the friends they brought."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true

from loyalty.customers.customers import customers
from loyalty.outreach.segments.criteria import Op, Test
from loyalty.outreach.segments.looks import Choices, Field, Kind, Look, number, within, yes_no
from loyalty.points.lots import lots
from loyalty.referrals.referrals import State, referrals
from loyalty.tiers.qualification import watches
from loyalty.vouchers.voucher_programs import programs
from loyalty.vouchers.vouchers import VoucherState, vouchers


def _tier(seen: Look, test: Test) -> ColumnElement[bool]:
    """Compared by rank: `>=` Vàng is Vàng and all above it. Who was never judged stands on the lowest."""
    ladder = seen.ladder
    rank = next((at for at, tier in enumerate(ladder) if tier.name == test.value), None)
    if rank is None:
        # It was taken out since: nobody stands there.
        return customers.c.id.is_(None)
    fits = {
        Op.LESS: ladder[:rank], Op.AT_MOST: ladder[: rank + 1], Op.MORE: ladder[rank + 1 :], Op.AT_LEAST: ladder[rank:],
    }.get(test.op, [ladder[rank]])  # fmt: skip
    return func.coalesce(customers.c.tier_id, ladder[0].id).in_([tier.id for tier in fits])


def _at_risk(seen: Look) -> ColumnElement[bool]:
    """They were told that they fall, and haven't yet."""
    w = watches.c
    return customers.c.id.in_(select(w.customer_id).where(w.told_for > seen.moment, seen.mine(w.customer_id)))


def _expiring(seen: Look, test: Test) -> ColumnElement[int]:
    def query() -> Select[Any]:
        lot = lots.c
        until = true() if test.days is None else lot.expires_at <= seen.midnight(-1 - test.days)
        return (
            select(lot.customer_id, func.sum(lot.remaining))
            .where(
                lot.remaining > 0, lot.pending_until.is_(None), lot.expires_at > seen.moment, until,
                seen.mine(lot.customer_id),
            )
            .group_by(lot.customer_id)
        )  # fmt: skip

    return func.coalesce(seen.each(f"expiring {test.days}", query), 0)


def _open(seen: Look) -> ColumnElement[bool]:
    v = vouchers.c
    usable = or_(v.expires_at.is_(None), v.expires_at > seen.moment)
    return and_(v.customer_id.is_not(None), v.state == VoucherState.OPEN.value, usable, seen.mine(v.customer_id))


def _vouchers(seen: Look, _test: Test) -> ColumnElement[int]:
    v = vouchers.c
    found = seen.each(
        "vouchers", lambda: select(v.customer_id, func.count()).where(_open(seen)).group_by(v.customer_id)
    )
    return func.coalesce(found, 0)


def _voucher_of(seen: Look, test: Test) -> Select[Any]:
    """Who holds an open voucher of a programme."""
    return select(vouchers.c.customer_id).where(vouchers.c.program_id == test.value, _open(seen))


def _programs(seen: Look) -> Choices:
    p = programs.c
    return {row.id: row.name for row in seen.session.execute(select(p.id, p.name).order_by(p.id.desc()).limit(1_000))}


def _referred(seen: Look) -> ColumnElement[bool]:
    r = referrals.c
    came = select(r.friend_id).where(r.state != State.REFUSED.value, seen.mine(r.friend_id))
    return customers.c.id.in_(came)


def _friends(seen: Look, _test: Test) -> ColumnElement[int]:
    """Friends who came by their link and bought."""
    r = referrals.c

    def query() -> Select[Any]:
        bought = r.state.in_((State.DUE.value, State.REWARDED.value))
        return select(r.referrer_id, func.count()).where(bought, seen.mine(r.referrer_id)).group_by(r.referrer_id)

    return func.coalesce(seen.each("friends", query), 0)


FIELDS = (
    number("points", lambda seen, _test: seen.balance("available")),
    number("points_pending", lambda seen, _test: seen.balance("pending")),
    number("points_expiring", _expiring, spans=True),
    Field(
        "tier", Kind.CHOICE, _tier, lambda seen: {tier.name: tier.name for tier in seen.ladder},
        value=lambda _seen, _test: customers.c.tier_id,
    ),
    number("tier_points", lambda seen, _test: seen.balance("tier")),
    yes_no("tier_at_risk", _at_risk),
    number("vouchers", _vouchers),
    within("voucher_of", _voucher_of, kind=Kind.RECORD, choices=_programs),
    yes_no("referred", _referred),
    number("friends", _friends),
)  # fmt: skip
