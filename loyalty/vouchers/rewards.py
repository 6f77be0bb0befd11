"""Rewards: the catalogue where points buy vouchers, and vouchers offered by a link (`v_CODE`)."""

from dataclasses import dataclass

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from loyalty import attempts
from loyalty.customers import customers
from loyalty.points import ledger, points
from loyalty.points.ledger import KeyConflictError
from loyalty.tiers import tiers
from loyalty.vouchers import voucher_gifts, voucher_limits, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Program, in_period, programs
from loyalty.vouchers.vouchers import SoldOutError, UnknownVoucherError, Voucher
from store import events, secret, shops
from store.clock import now
from store.errors import ConflictError, NotFoundError


@dataclass(frozen=True, slots=True)
class Reward:
    """Something that points can buy. `left`: how many more this customer may have, None where there is no end."""

    program: Program
    price: int
    """In points, for this customer: a tier may pay less."""
    left: int | None


@dataclass(frozen=True, slots=True)
class Bought:
    """What points bought, for `price` points."""

    voucher: Voucher
    program: Program
    price: int
    balance: int
    """Points available after it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A voucher that a link gave. `new` is False when the person has it already, and of a `shared` one."""

    voucher: Voucher
    program: Program
    new: bool


class PriceChangedError(ConflictError):
    """The reward costs another number of points than the person was shown; nothing was bought."""

    code = "price_changed"

    def __init__(self, price: int) -> None:
        super().__init__(f"it costs {price} points")
        self.price = price


def catalogue(session: Session, customer_id: int) -> list[Reward]:
    """What this customer can buy for points, were they enough: listed, in its period, in stock, below their limit;
    cheapest first.
    """
    p, v = programs.c, vouchers.vouchers.c
    moment, owner = now(session), customers.resolve(session, customer_id)
    own = (
        select(v.program_id, func.count().label("count"))
        .where(v.customer_id == owner, v.state != vouchers.VoucherState.WITHDRAWN.value)
        .group_by(v.program_id)
        .subquery()
    )
    had = func.coalesce(own.c.count, 0)
    rows = session.execute(
        select(*voucher_programs.FIELDS, had)
        .outerjoin(own, own.c.program_id == p.id)
        .where(
            p.price_points.is_not(None), p.hidden.is_(False),
            or_(p.starts_at.is_(None), p.starts_at <= moment), or_(p.ends_at.is_(None), p.ends_at > moment),
            or_(p.stock.is_(None), p.issued < p.stock), or_(p.per_customer.is_(None), p.per_customer > had),
        )
        .order_by(p.price_points, p.id)
    ).all()  # fmt: skip
    rewards = []
    for *values, count in rows:
        offer = Program(*values)
        ends = [limit for limit in (
            None if offer.stock is None else offer.stock - offer.issued,
            None if offer.per_customer is None else offer.per_customer - count,
        ) if limit is not None]  # fmt: skip
        price = tiers.price(session, owner, offer.price_points or 0)
        rewards.append(Reward(offer, price, min(ends, default=None)))
    return rewards


def buy(session: Session, customer_id: int, program_id: int, *, price: int, key: str) -> Bought:
    """Buy a voucher at the `price` in points that the person was shown. `key` names the cause (the tap): the same again
    is the same voucher, paid once.

    Raises NotFoundError (no such reward), SoldOutError (also out of its period), LimitError, PriceChangedError,
    UncoveredError (too few points), KeyConflictError.
    """
    offer = voucher_programs.get(session, program_id, lock=True)
    owner = customers.resolve(session, customer_id)
    known = vouchers.by_key(session, f"buy:{key}")
    if known is not None:
        if (known.program_id, known.customer_id) != (program_id, owner):
            raise KeyConflictError(key)
        return Bought(known, offer, price, points.balances(session, owner)[0])
    if offer.price_points is None or offer.hidden:
        raise NotFoundError("reward", program_id)
    if not in_period(offer, now(session)):
        raise SoldOutError(f"program {program_id}")
    asked = tiers.price(session, owner, offer.price_points)
    if asked != price:
        raise PriceChangedError(asked)
    shop_id = offer.shop_id or customers.get(session, owner).home_shop_id or shops.every(session)[0].id
    points.spend(
        session, f"buy:{key}", "buy", customer_id=owner, shop_id=shop_id, points=price, actor=f"customer:{owner}",
        reason=offer.name,
    )  # fmt: skip
    voucher = vouchers.issue(session, program_id, owner, key=f"buy:{key}")
    events.happened(session, "reward_bought", customer_id=owner, shop_id=shop_id, program=program_id, points=price)
    return Bought(voucher, offer, price, points.balances(session, owner)[0])


def offer_code(session: Session, program_id: int) -> str:
    """The code under which a programme is offered to everybody (`v_CODE`), made at the first call.

    Raises NotFoundError, SharedProgramError (its own code is there for everybody).
    """
    offer = voucher_programs.get(session, program_id, lock=True)
    if offer.shared:
        raise vouchers.SharedProgramError(f"program {program_id}")
    if offer.offer_code is not None:
        return offer.offer_code
    code = secret.code(vouchers.CODE_SIGNS)
    session.execute(update(programs).where(programs.c.id == program_id).values(offer_code=code))
    return code


def open_offer(
    session: Session, code: str, customer_id: int, *, address: str | None = None
) -> Opened | UnknownVoucherError:
    """A person opened `v_CODE`: a programme's public code gives them one voucher of it, once; a friend's gift and the code
    of a bearer's voucher make that one theirs. A code for everybody stays that: they are shown it, and nothing is given.

    A code that isn't there (or is somebody else's) is returned, not raised, for it was counted and the count must stay:
    against the person, and against the network `address` they came from, where one is known. Raises SoldOutError (also out
    of its period), LimitError, TooManyError.
    """
    owner = customers.resolve(session, customer_id)
    actors = [f"customer:{owner}", *([f"address:{address}"] if address else [])]
    for actor in actors:
        attempts.guard(session, actor)
    program_id = session.execute(select(programs.c.id).where(programs.c.offer_code == vouchers.folded(code))).scalar()
    if program_id is not None:
        return _from_program(session, program_id, owner)
    gift = voucher_gifts.take(session, code, owner)
    if gift is not None:
        offer = voucher_programs.get(session, gift.voucher.program_id)
        return Opened(gift.voucher, offer, new=gift.new)
    voucher = vouchers.by_code(session, code, lock=True)
    if voucher is None or voucher.customer_id not in {None, owner}:
        for actor in actors:
            attempts.wrong(session, actor)
        return UnknownVoucherError()
    offer = voucher_programs.get(session, voucher.program_id)
    if voucher.shared:
        used_up = offer.stock is not None and not voucher_limits.room(session, offer.id, budget=False, uses=True).uses
        if voucher.state != vouchers.VoucherState.OPEN or used_up or not in_period(offer, now(session)):
            raise SoldOutError(f"voucher {voucher.id}")
        return Opened(voucher, offer, new=False)
    if voucher.customer_id == owner:
        return Opened(voucher, offer, new=False)
    if voucher.state != vouchers.VoucherState.OPEN or (voucher.expires_at or now(session)) < now(session):
        raise SoldOutError(f"voucher {voucher.id}")
    return Opened(vouchers.give(session, voucher, owner), offer, new=True)


def _from_program(session: Session, program_id: int, owner: int) -> Opened:
    offer = voucher_programs.get(session, program_id, lock=True)
    key = f"offer:{program_id}:{owner}"
    known = vouchers.by_key(session, key)
    if known is not None:
        return Opened(known, offer, new=False)
    if not in_period(offer, now(session)):
        raise SoldOutError(f"program {program_id}")
    return Opened(vouchers.issue(session, program_id, owner, key=key), offer, new=True)


def check(session: Session) -> list[ledger.Fault]:
    """Prove that every voucher that was bought was paid for, and that everybody who paid has one."""
    t, v = ledger.transfers.c, vouchers.vouchers.c
    unpaid = (
        select(v.id)
        .outerjoin(ledger.transfers, (t.key == v.key) & (t.kind == "buy"))
        .where(v.key.like("buy:%"), t.id.is_(None))
        .order_by(v.id)
    )
    ungiven = (
        select(t.id).outerjoin(vouchers.vouchers, v.key == t.key).where(t.kind == "buy", v.id.is_(None)).order_by(t.id)
    )
    return [
        ledger.Fault(what, number, 1, 0)
        for what, query in (("voucher not paid for", unpaid), ("paid for no voucher", ungiven))
        for number in session.execute(query).scalars()
    ]
