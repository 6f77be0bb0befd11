"""Vouchers over the API: programmes, codes, and using a code on an order (check, reserve, confirm or cancel)."""

from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, CustomerRef, Moment, Money, example
from handlers.api.calls import Answer, Ask, Call
from handlers.api.customers import known, named
from loyalty import redemptions, voucher_programs, vouchers
from loyalty.points import POINTS_MAX
from loyalty.redemptions import Checked, Redemption, RedemptionState
from loyalty.voucher_programs import Kind
from loyalty.vouchers import UnknownVoucherError
from store import shops

GROUP = "Vouchers"


class OrderForVoucher(Body):
    model_config = example({"order_total": 150_000, "customer": {"phone": "0903 123 456"}})

    order_total: Money = Field(description="đồng before the discount.")
    customer: CustomerRef | None = Field(default=None, description="A personal voucher needs none.")


class VoucherOnOrder(OrderForVoucher):
    model_config = example({"order": "HD-1042", "order_total": 150_000})

    order: str = Field(min_length=1, max_length=100, description="Your order's id.")


class VoucherCheck(BaseModel):
    model_config = example({"valid": True, "discount": 30_000, "reason": None})

    valid: bool
    discount: int = Field(description="đồng that it takes off.")
    reason: str | None = Field(description="invalid (whatever is wrong with the code) or min_order; null when valid.")


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


class NewProgram(Body):
    model_config = example({
        "name": "20 % off from 50.000 đ", "kind": "percent", "value": 20, "cap": 30_000, "min_order": 50_000,
        "stock": 500, "per_customer": 1, "price_points": 300, "ends_at": "2026-12-31T23:59:59+07:00",
    })  # fmt: skip

    name: str = Field(min_length=1, max_length=voucher_programs.NAME_CHARS_MAX)
    kind: Kind = Field(description="amount: `value` đồng off · percent: `value` per cent off · gift: nothing off.")
    value: int = Field(default=0, ge=0, le=voucher_programs.MONEY_MAX)
    cap: Money | None = Field(default=None, description="đồng that it takes off at most.")
    min_order: Money | None = Field(default=None, description="đồng that an order must come to.")
    stock: int | None = Field(default=None, ge=0, description="Vouchers there are to give; missing: no end of them.")
    per_customer: int | None = Field(default=None, ge=1, description="Vouchers that one customer may be given.")
    price_points: int | None = Field(
        default=None,
        ge=1,
        le=POINTS_MAX,
        description="What one costs in the rewards catalogue; missing: not for points.",
    )
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    hidden: bool | None = Field(default=None, description="Not shown in the catalogue.")


class Program(BaseModel):
    model_config = example({
        "id": 4, "name": "20 % off from 50.000 đ", "kind": "percent", "value": 20, "cap": 30_000, "min_order": 50_000,
        "stock": 500, "issued": 0, "per_customer": 1, "price_points": 300, "starts_at": None,
        "ends_at": "2026-12-31T16:59:59Z", "hidden": False,
    })  # fmt: skip

    id: int
    name: str
    kind: Kind
    value: int
    cap: int | None
    min_order: int
    stock: int | None
    issued: int
    per_customer: int | None
    price_points: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    hidden: bool


class Issue(Body):
    """One voucher for a customer, or `count` for whoever bears them; neither: one for whoever bears it."""

    model_config = example({"customer": {"phone": "0903 123 456"}}, **{"not": {"required": ["customer", "count"]}})

    customer: CustomerRef | None = None
    count: int | None = Field(default=None, ge=1, le=vouchers.COUNT_MAX)

    @model_validator(mode="after")
    def _either(self) -> "Issue":
        if self.customer is not None and self.count is not None:
            raise PydanticCustomError("either", "Give a customer or a count, not both")
        return self


class Codes(BaseModel):
    model_config = example({"codes": ["K7MD-2QXW-9HPTA"]})

    codes: list[str] = Field(description="All or none.")


async def check(ask: Ask, body: OrderForVoucher) -> Answer:
    found = await ask.write(_check, _code(ask), ask.shop_id, ask.actor, body)
    return 200, VoucherCheck(valid=found.valid, discount=found.discount, reason=found.reason)


async def reserve(ask: Ask, body: VoucherOnOrder) -> Answer:
    held = await ask.write(_reserve, _code(ask), await ask.shop(), ask.actor, body)
    if isinstance(held, UnknownVoucherError):
        raise held
    return 201, Reservation(
        id=held.id, state=RedemptionState(held.state), discount=held.discount, expires_at=held.expires_at
    )


async def confirm(ask: Ask) -> Answer:
    return 200, _settled(await ask.write(redemptions.confirm, ask.number("redemption"), shop_id=ask.shop_id))


async def cancel(ask: Ask) -> Answer:
    return 200, _settled(await ask.write(redemptions.cancel, ask.number("redemption"), shop_id=ask.shop_id))


async def add_program(ask: Ask, body: NewProgram) -> Answer:
    added = await ask.write(_add, ask.shop_id, body)
    return 201, Program(**{name: value for name, value in asdict(added).items() if name in Program.model_fields})


async def issue(ask: Ask, body: Issue) -> Answer:
    return 201, Codes(codes=await ask.write(_issue, ask.number("voucher program"), await ask.shop(), body))


def _code(ask: Ask) -> str:
    """The code of the path; one that no database could hold is nobody's, as every other wrong one."""
    code = ask.request.match_info["code"]
    return code if code.isprintable() else ""


def _settled(redemption: Redemption) -> RedemptionAnswer:
    return RedemptionAnswer(id=redemption.id, state=RedemptionState(redemption.state))


def _check(session: Session, code: str, shop_id: int, actor: str, body: OrderForVoucher) -> Checked:
    customer_id = known(session, body.customer) if body.customer else None
    if body.customer is not None and customer_id is None:
        voucher = vouchers.by_code(session, code)
        if voucher is not None and voucher.customer_id is not None:
            # Somebody's own voucher is none for a phone that nobody has yet.
            code = ""
    return redemptions.check(session, code, body.order_total, shop_id=shop_id, actor=actor, customer_id=customer_id)


def _reserve(
    session: Session, code: str, shop: shops.Shop, actor: str, body: VoucherOnOrder
) -> Redemption | UnknownVoucherError:
    customer_id = named(session, body.customer, shop) if body.customer else None
    return redemptions.reserve(
        session, code, shop_id=shop.id, order=body.order, order_total=body.order_total, actor=actor,
        customer_id=customer_id,
    )  # fmt: skip


def _add(session: Session, shop_id: int, body: NewProgram) -> voucher_programs.Program:
    given = body.model_dump(exclude_none=True)
    return voucher_programs.add(session, shop_id=shop_id, **given)


def _issue(session: Session, program_id: int, shop: shops.Shop, body: Issue) -> list[str]:
    voucher_programs.get(session, program_id, shop.id)
    if body.customer is None:
        return [vouchers.shown(code) for code in vouchers.issue_many(session, program_id, body.count or 1)]
    customer_id = named(session, body.customer, shop)
    return [vouchers.shown(vouchers.issue(session, program_id, customer_id, tell=True).code)]


_CODE_WORDS = "Case, spaces and dashes in the code don't matter."

CALLS = (
    Call(
        "POST", "/vouchers/{code}/check", GROUP, "See what a code gives on an order", check, {200: VoucherCheck},
        body=OrderForVoucher, refusals=["not_found", "too_many"],
        words=f"{_CODE_WORDS} Nothing is held. After 20 wrong codes in a minute there is a pause.",
    ),
    Call(
        "POST", "/vouchers/{code}/redemptions", GROUP, "Reserve a voucher for an order", reserve, {201: Reservation},
        body=VoucherOnOrder, refusals=["not_found", "voucher_unusable", "min_order", "too_many"],
        words=f"{_CODE_WORDS} Held 15 minutes; the same order again gets the same reservation.",
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
        "POST", "/voucher-programs", GROUP, "Offer something", add_program, {201: Program}, body=NewProgram,
        words="The programme belongs to the key's shop.",
    ),
    Call(
        "POST", "/voucher-programs/{id}/vouchers", GROUP, "Give out vouchers", issue, {201: Codes}, body=Issue,
        refusals=["not_found", "sold_out", "limit_reached"],
    ),
)  # fmt: skip
