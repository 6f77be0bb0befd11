"""Vouchers over the API: using codes on an order (check, reserve, confirm or cancel, roll back), alone or together."""

from datetime import datetime

from pydantic import BaseModel, Field, JsonValue
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, CustomerRef, Money, example
from handlers.api.calls import Answer, Ask, Call
from handlers.api.customers import known, named
from loyalty.vouchers import discounts, redemptions, reservations, stacking, vouchers
from loyalty.vouchers.discounts import LINES_MAX, Line
from loyalty.vouchers.redemptions import Redemption, RedemptionState
from loyalty.vouchers.reservations import Checked
from loyalty.vouchers.vouchers import UnknownVoucherError
from store import shops

GROUP = "Vouchers"


class OrderForVoucher(Body):
    model_config = example({"order_total": 150_000, "customer": {"phone": "0903 123 456"}})

    order_total: Money = Field(description="đồng before the discount.")
    customer: CustomerRef | None = Field(default=None, description="A personal voucher needs none.")
    items: list[dict[str, JsonValue]] | None = Field(
        default=None, max_length=LINES_MAX,
        description="What is on the order, as in orders: `name` or `sku`, `category`, `price`, `quantity`. A voucher for "
        "certain items needs them.",
    )  # fmt: skip

    @property
    def lines(self) -> list[Line]:
        """The lines whose price can be read."""
        return discounts.read(self.items or [])


class VoucherOnOrder(OrderForVoucher):
    model_config = example({"order": "HD-1042", "order_total": 150_000})

    order: str = Field(min_length=1, max_length=100, description="Your order's id.")


class VoucherCheck(BaseModel):
    model_config = example({"valid": True, "discount": 30_000, "reason": None})

    valid: bool
    discount: int = Field(description="đồng that it takes off.")
    reason: str | None = Field(
        description="invalid (whatever is wrong with the code), or what the order lacks for a right one: min_order, items, "
        "hours, customer; null when valid."
    )


class Reservation(BaseModel):
    model_config = example({"id": 31, "state": "reserved", "discount": 30_000, "expires_at": "2026-11-21T07:20:00Z"})

    id: int
    state: RedemptionState
    discount: int = Field(description="đồng that it takes off.")
    expires_at: datetime = Field(description="Confirm before, or the voucher is free again.")


class RedemptionAnswer(BaseModel):
    model_config = example({"id": 31, "state": "confirmed"})

    id: int
    state: RedemptionState


class Cancelled(RedemptionAnswer):
    model_config = example({"id": 31, "state": "cancelled"})


class Codes(Body):
    """Vouchers named by their codes."""

    codes: list[str] | None = Field(
        default=None, max_length=stacking.CODES_MAX, description="Case, spaces and dashes don't matter."
    )


class ManyForVoucher(OrderForVoucher, Codes):
    model_config = example({
        "order_total": 150_000, "codes": ["TET2027"], "customer": {"phone": "0903 123 456"}, "wallet": True,
        "items": [{"name": "Trà đào", "category": "Trà", "quantity": 2, "price": 45_000}],
    })  # fmt: skip

    wallet: bool | None = Field(default=None, description="The customer's own vouchers too.")


class BestUse(BaseModel):
    code: str
    program: int
    name: str
    discount: int = Field(description="đồng that it takes off in this place.")


class NotUsed(BaseModel):
    code: str
    reason: str = Field(
        description="As of a check, or not_stackable (with those in `use`), or no_gain (it would take nothing more off); of "
        "the customer's own also limit_reached, sold_out, budget_spent or voucher_unusable."
    )


class Best(BaseModel):
    model_config = example({
        "discount": 55_000, "use": [{"code": "K7MD-2QXW-9HPTA", "program": 4, "name": "Trà đào", "discount": 45_000},
                                    {"code": "TET2027", "program": 9, "name": "Tết", "discount": 10_000}],
        "refused": [{"code": "M4TE-8KQA-2PXWH", "reason": "not_stackable"}], "items": [48_334], "rest": 6_666,
        "exact": True,
    })  # fmt: skip

    discount: int = Field(description="đồng that all of `use` take off together.")
    use: list[BestUse] = Field(description="The best that may be together, in the order in which they apply.")
    refused: list[NotUsed]
    items: list[int] = Field(description="đồng off each of the `items` whose price could be read.")
    rest: int = Field(description="đồng off what isn't itemised.")
    exact: bool = Field(description="false: of more than 12 vouchers the 12 largest were tried.")


class ManyOnOrder(VoucherOnOrder):
    model_config = example({"order": "HD-1042", "order_total": 150_000, "codes": ["TET2027", "K7MD-2QXW-9HPTA"]})

    codes: list[str] = Field(min_length=1, max_length=stacking.CODES_MAX)


class Reservations(BaseModel):
    model_config = example({
        "redemptions": [{"id": 31, "state": "reserved", "discount": 30_000, "expires_at": "2026-11-21T07:20:00Z"}],
        "discount": 30_000,
    })  # fmt: skip

    redemptions: list[Reservation] = Field(description="In the order in which they apply.")
    discount: int = Field(description="đồng together.")


class RolledBack(RedemptionAnswer):
    model_config = example({"id": 31, "state": "rolled_back"})


async def check(ask: Ask, body: OrderForVoucher) -> Answer:
    found = await ask.write(_check, _code(ask), ask.shop_id, ask.actor, body)
    return 200, VoucherCheck(valid=found.valid, discount=found.discount, reason=found.reason)


async def reserve(ask: Ask, body: VoucherOnOrder) -> Answer:
    held = await ask.write(_reserve, _code(ask), await ask.shop(), ask.actor, body)
    if isinstance(held, UnknownVoucherError):
        raise held
    return 201, _held(held)


async def confirm(ask: Ask) -> Answer:
    return 200, _settled(await ask.write(redemptions.confirm, ask.number("redemption"), shop_id=ask.shop_id))


async def cancel(ask: Ask) -> Answer:
    return 200, _settled(await ask.write(redemptions.cancel, ask.number("redemption"), shop_id=ask.shop_id))


async def roll_back(ask: Ask) -> Answer:
    found = await ask.write(redemptions.roll_back, ask.number("redemption"), shop_id=ask.shop_id)
    return 200, RolledBack(id=found.id, state=RedemptionState(found.state))


async def check_many(ask: Ask, body: ManyForVoucher) -> Answer:
    def look(session: Session) -> stacking.Best:
        customer_id = known(session, body.customer) if body.customer else None
        return stacking.check_many(
            session, body.order_total, shop_id=ask.shop_id, actor=ask.actor, codes=body.codes or (),
            customer_id=customer_id, newcomer=body.customer is not None and customer_id is None,
            wallet=bool(body.wallet), lines=body.lines,
        )  # fmt: skip

    found = await ask.write(look)
    return 200, Best(
        discount=found.discount, items=found.lines, rest=found.rest, exact=found.exact,
        use=[
            BestUse(code=vouchers.shown(use.code), program=use.program.id, name=use.program.name, discount=use.discount)
            for use in found.uses
        ],
        refused=[NotUsed(code=vouchers.shown(one.code), reason=one.reason) for one in found.refused],
    )  # fmt: skip


async def reserve_many(ask: Ask, body: ManyOnOrder) -> Answer:
    held = await ask.write(_reserve_many, await ask.shop(), ask.actor, body)
    if isinstance(held, UnknownVoucherError):
        raise held
    return 201, Reservations(redemptions=[_held(one) for one in held], discount=sum(one.discount for one in held))


def _code(ask: Ask) -> str:
    """The code of the path; one that no database could hold is nobody's, as every other wrong one."""
    code = ask.request.match_info["code"]
    return code if code.isprintable() else ""


def _held(redemption: Redemption) -> Reservation:
    return Reservation(
        id=redemption.id, state=RedemptionState(redemption.state), discount=redemption.discount,
        expires_at=redemption.expires_at,
    )  # fmt: skip


def _settled(redemption: Redemption) -> RedemptionAnswer:
    return RedemptionAnswer(id=redemption.id, state=RedemptionState(redemption.state))


def _check(session: Session, code: str, shop_id: int, actor: str, body: OrderForVoucher) -> Checked:
    customer_id = known(session, body.customer) if body.customer else None
    if body.customer is not None and customer_id is None:
        voucher = vouchers.by_code(session, code)
        if voucher is not None and voucher.customer_id is not None:
            # Somebody's own voucher is none for a phone that nobody has yet.
            code = ""
    return reservations.check(
        session, code, body.order_total, shop_id=shop_id, actor=actor, customer_id=customer_id,
        newcomer=body.customer is not None and customer_id is None, lines=body.lines,
    )  # fmt: skip


def _reserve(
    session: Session, code: str, shop: shops.Shop, actor: str, body: VoucherOnOrder
) -> Redemption | UnknownVoucherError:
    customer_id = named(session, body.customer, shop) if body.customer else None
    return reservations.reserve(
        session, code, shop_id=shop.id, order=body.order, order_total=body.order_total, actor=actor,
        customer_id=customer_id, lines=body.lines,
    )  # fmt: skip


def _reserve_many(
    session: Session, shop: shops.Shop, actor: str, body: ManyOnOrder
) -> list[Redemption] | UnknownVoucherError:
    customer_id = named(session, body.customer, shop) if body.customer else None
    return stacking.reserve_many(
        session, body.codes, shop_id=shop.id, order=body.order, order_total=body.order_total, actor=actor,
        customer_id=customer_id, lines=body.lines,
    )  # fmt: skip


_CODE_WORDS = "Case, spaces and dashes in the code don't matter."
_RESERVE = [
    "not_found", "voucher_unusable", "min_order", "items", "hours", "customer", "not_stackable", "sold_out", "budget_spent",
    "limit_reached", "too_many",
]  # fmt: skip

CALLS = (
    Call(
        "POST", "/vouchers/{code}/check", GROUP, "See what a code gives on an order", check, {200: VoucherCheck},
        body=OrderForVoucher, refusals=["not_found", "too_many"],
        words=f"{_CODE_WORDS} Nothing is held. After 20 wrong codes in a minute there is a pause.",
    ),
    Call(
        "POST", "/vouchers/{code}/redemptions", GROUP, "Reserve a voucher for an order", reserve, {201: Reservation},
        body=VoucherOnOrder, refusals=_RESERVE,
        words=f"{_CODE_WORDS} Held 15 minutes; the same order again gets the same reservation.",
    ),
    Call(
        "POST", "/vouchers/check-many", GROUP, "Find the best vouchers together", check_many, {200: Best},
        body=ManyForVoucher, refusals=["too_many"],
        words="Of some codes and a customer's wallet, those allowed together that take off most: free items first, then per "
        "cent of what is left, then amounts. Nothing is held.",
    ),
    Call(
        "POST", "/vouchers/redemptions", GROUP, "Reserve several vouchers for an order", reserve_many,
        {201: Reservations}, body=ManyOnOrder, refusals=_RESERVE, words="All or none. Held 15 minutes; repeatable.",
    ),
    Call(
        "POST", "/redemptions/{id}/confirm", GROUP, "Confirm: the order was paid", confirm, {200: RedemptionAnswer},
        refusals=["not_found", "redemption_settled"], words="Repeatable.",
    ),
    Call(
        "POST", "/redemptions/{id}/cancel", GROUP, "Cancel: the voucher is free again", cancel, {200: Cancelled},
        refusals=["not_found", "redemption_settled"], words="Repeatable; not after confirm.",
    ),
    Call(
        "POST", "/redemptions/{id}/rollback", GROUP, "Roll back: the paid order was undone", roll_back, {200: RolledBack},
        refusals=["not_found", "redemption_settled"],
        words="The voucher can be used again in its period. Repeatable. An order that is told as cancelled or refunded does "
        "this by itself.",
    ),
)  # fmt: skip
