"""Voucher programmes over the API: offers, the vouchers they give out, and batches of codes."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, CustomerRef, Moment, Money, Page, RowNumber, example, row_before
from handlers.api.calls import Answer, Ask, Call
from handlers.api.customers import named
from loyalty.points.points import POINTS_MAX
from loyalty.vouchers import batches, shared_codes, voucher_limits, voucher_programs, vouchers
from loyalty.vouchers.batches import BatchState
from loyalty.vouchers.voucher_programs import LISTED_CHARS_MAX, LISTED_MAX, Kind, Returns, Stacks
from store import audit, shops

GROUP = "Vouchers"
PAGE = 50
"""Offers, or batches, on a page."""
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)


def _clock(given: str) -> str:
    if not _CLOCK.fullmatch(given):
        raise PydanticCustomError("format", "An hour looks like 14:00")
    return given


def _absent(value: Any) -> bool:
    return value is None


Clock = Annotated[str, AfterValidator(_clock), Field(examples=["14:00"])]
Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=LISTED_CHARS_MAX)]], Field(max_length=LISTED_MAX)]
Numbers = Annotated[list[RowNumber], Field(max_length=LISTED_MAX)]
Weekdays = Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(max_length=7)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class NewProgram(Body):
    model_config = example({
        "name": "20 % off from 50.000 đ", "kind": "percent", "value": 20, "cap": 30_000, "min_order": 50_000,
        "stock": 500, "per_customer": 1, "price_points": 300, "ends_at": "2026-12-31T23:59:59+07:00",
        "categories": ["Trà"], "weekdays": [1, 2, 3, 4, 5], "from_time": "14:00", "until_time": "17:00",
    })  # fmt: skip

    name: str = Field(min_length=1, max_length=voucher_programs.NAME_CHARS_MAX)
    kind: Kind = Field(
        description="amount: `value` đồng off · percent: `value` per cent off · item: the price of an item of `items` or "
        "`categories`, `times` times · gift: nothing off, `value` is what it is worth."
    )
    value: int = Field(default=0, ge=0, le=voucher_programs.MONEY_MAX)
    cap: Money | None = Field(default=None, description="đồng that it takes off at most.")
    min_order: Money | None = Field(default=None, description="đồng that an order must come to, before any voucher.")
    stock: int | None = Field(
        default=None, ge=0, description="Vouchers there are to give, or uses of a shared code; missing: no end of them."
    )
    per_customer: int | None = Field(
        default=None, ge=1, description="Vouchers that one customer may be given, or uses of a shared code."
    )
    price_points: int | None = Field(
        default=None,
        ge=1,
        le=POINTS_MAX,
        description="What one costs in the rewards catalogue; missing: not for points.",
    )
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    hidden: bool | None = Field(default=None, description="Not shown in the catalogue.")
    valid_days: int | None = Field(
        default=None, ge=0, le=3_660, description="Days after the day it was given that it can be used."
    )
    items: Names | None = Field(default=None, description="Names or SKUs that it is for; the rest of the order is not.")
    categories: Names | None = Field(default=None, description="The same by category.")
    times: int | None = Field(
        default=None, ge=1, le=1_000, description="Of kind item: how many are free; missing: one."
    )
    weekdays: Weekdays | None = Field(default=None, description="1 Monday to 7 Sunday, the shop's; missing: every day.")
    from_time: Clock | None = Field(default=None, description="The shop's hour from which it is taken.")
    until_time: Clock | None = Field(
        default=None, description="Until before which; earlier than `from_time`: overnight."
    )
    per_day: Count | None = Field(default=None, description="Uses on one day by everybody.")
    per_customer_day: Count | None = Field(default=None, description="Uses on one day by one customer.")
    budget: Money | None = Field(default=None, description="đồng that all its discounts may come to.")
    stacks: Stacks | None = Field(
        default=None,
        description="Which vouchers may be on the same order: all (missing), none, or those of `stacks_with`.",
    )
    stacks_with: Numbers | None = Field(default=None, description="Programmes, with `stacks`: named.")
    returns: Returns | None = Field(
        default=None,
        description="When an order gives its voucher back: undone in full (missing), by any refund, never.",
    )
    shared_code: str | None = Field(
        default=None,
        min_length=4,
        max_length=40,
        description="One code for everybody (TET2027) in place of single ones.",
    )


class Program(BaseModel):
    model_config = example({
        "id": 4, "name": "20 % off from 50.000 đ", "kind": "percent", "value": 20, "cap": 30_000, "min_order": 50_000,
        "stock": 500, "issued": 0, "per_customer": 1, "price_points": 300, "starts_at": None,
        "ends_at": "2026-12-31T16:59:59Z", "hidden": False, "categories": ["Trà"], "budget": 5_000_000,
        "budget_left": 4_120_000,
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
    valid_days: int | None = Field(default=None, exclude_if=_absent)
    items: list[str] | None = Field(default=None, exclude_if=_absent)
    categories: list[str] | None = Field(default=None, exclude_if=_absent)
    times: int | None = Field(default=None, exclude_if=_absent)
    weekdays: list[int] | None = Field(default=None, exclude_if=_absent)
    from_time: str | None = Field(default=None, exclude_if=_absent)
    until_time: str | None = Field(default=None, exclude_if=_absent)
    per_day: int | None = Field(default=None, exclude_if=_absent)
    per_customer_day: int | None = Field(default=None, exclude_if=_absent)
    budget: int | None = Field(default=None, exclude_if=_absent)
    budget_left: int | None = Field(default=None, exclude_if=_absent, description="Neither spent nor held.")
    stacks: Stacks | None = Field(default=None, exclude_if=_absent, description="Missing: with all.")
    stacks_with: list[int] | None = Field(default=None, exclude_if=_absent)
    returns: Returns | None = Field(default=None, exclude_if=_absent, description="Missing: undone in full.")
    shared_code: str | None = Field(default=None, exclude_if=_absent)
    uses_left: int | None = Field(default=None, exclude_if=_absent, description="Of a shared code.")


class Programs(BaseModel):
    model_config = example(
        {"programs": [Program.model_config["json_schema_extra"]["examples"][0]], "next": None}  # type: ignore[index]
    )

    programs: list[Program] = Field(description="The newest first.")
    next: str | None = Field(description="The cursor of the next page, null at the end.")


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


class NewBatch(Body):
    model_config = example({"count": 1_000_000, "name": "Flyers in District 7"})

    count: int = Field(ge=1, le=batches.COUNT_MAX)
    name: str = Field(default="", max_length=batches.NAME_CHARS_MAX)


class Batch(BaseModel):
    model_config = example({
        "id": 3, "program": 4, "name": "Flyers in District 7", "state": "running", "wanted": 1_000_000, "made": 412_000,
    })  # fmt: skip

    id: int
    program: int
    name: str
    state: BatchState
    wanted: int
    made: int


class Batches(BaseModel):
    model_config = example(
        {"batches": [Batch.model_config["json_schema_extra"]["examples"][0]], "next": None}  # type: ignore[index]
    )

    batches: list[Batch] = Field(description="The newest first.")
    next: str | None = Field(description="The cursor of the next page, null at the end.")


class StoppedBatch(Batch):
    model_config = example({
        "id": 3, "program": 4, "name": "Flyers in District 7", "state": "stopped", "wanted": 1_000_000, "made": 412_000,
    })  # fmt: skip


async def add(ask: Ask, body: NewProgram) -> Answer:
    return 201, await ask.write(_add, ask, body)


async def every(ask: Ask, query: Page) -> Answer:
    before = row_before(query.cursor)

    def look(session: Session) -> list[Program]:
        found = voucher_programs.of_shop(session, ask.shop_id, before=before, limit=PAGE + 1)
        return [_shown(session, offer) for offer in found]

    found = await ask.read(look)
    return 200, Programs(programs=found[:PAGE], next=_next(found))


async def get(ask: Ask) -> Answer:
    def look(session: Session, program_id: int) -> Program:
        return _shown(session, voucher_programs.get(session, program_id, ask.shop_id))

    return 200, await ask.read(look, ask.number("voucher program"))


async def issue(ask: Ask, body: Issue) -> Answer:
    program_id, shop = ask.number("voucher program"), await ask.shop()
    return 201, Codes(codes=await ask.write(_issue, program_id, shop, ask.actor, body))


async def add_batch(ask: Ask, body: NewBatch) -> Answer:
    def begin(session: Session, program_id: int) -> batches.Batch:
        voucher_programs.get(session, program_id, ask.shop_id)
        made = batches.start(session, program_id, body.count, name=body.name, actor=ask.actor)
        audit.record(
            session, ask.actor, "codes_begun", ask.shop_id, program=program_id, batch=made.id, wanted=made.wanted
        )
        return made

    return 202, _batch(await ask.write(begin, ask.number("voucher program")), Batch)


async def every_batch(ask: Ask, query: Page) -> Answer:
    before = row_before(query.cursor)

    def look(session: Session, program_id: int) -> list[Batch]:
        voucher_programs.get(session, program_id, ask.shop_id)
        found = batches.of_program(session, program_id, before=before, limit=PAGE + 1)
        return [_batch(one, Batch) for one in found]

    found = await ask.read(look, ask.number("voucher program"))
    return 200, Batches(batches=found[:PAGE], next=_next(found))


def _next(found: Sequence[Program] | Sequence[Batch]) -> str | None:
    """The cursor behind a page, of which one row more was read."""
    return str(found[PAGE - 1].id) if len(found) > PAGE else None


async def batch(ask: Ask) -> Answer:
    return 200, _batch(await ask.read(_own_batch, ask.number("batch"), ask.shop_id), Batch)


async def stop_batch(ask: Ask) -> Answer:
    return 200, _batch(await ask.write(_turn, ask, ask.number("batch"), "stop"), StoppedBatch)


async def resume_batch(ask: Ask) -> Answer:
    return 200, _batch(await ask.write(_turn, ask, ask.number("batch"), "resume"), Batch)


def _turn(session: Session, ask: Ask, number: int, action: str) -> batches.Batch:
    """Stop a batch, or let it go on."""
    before = _own_batch(session, number, ask.shop_id, lock=True)
    after = (batches.stop if action == "stop" else batches.go_on)(session, number)
    if after.state != before.state:
        audit.record(
            session, ask.actor, f"codes_{action}", ask.shop_id, program=after.program_id, batch=number,
            changed={"state": [before.state, after.state]},
        )  # fmt: skip
    return after


def _own_batch(session: Session, number: int, shop_id: int, *, lock: bool = False) -> batches.Batch:
    found = batches.get(session, number, lock=lock)
    voucher_programs.get(session, found.program_id, shop_id)
    return found


def _batch(found: batches.Batch, shape: type[Batch]) -> Batch:
    return shape(
        id=found.id, program=found.program_id, name=found.name, state=BatchState(found.state), wanted=found.wanted,
        made=found.made,
    )  # fmt: skip


def _add(session: Session, ask: Ask, body: NewProgram) -> Program:
    given = body.model_dump(exclude_none=True)
    code = given.pop("shared_code", None)
    for name in ("from", "until"):
        if (clock := given.pop(f"{name}_time", None)) is not None:
            hour, _, minute = clock.partition(":")
            given[f"{name}_minute"] = int(hour) * 60 + int(minute)
    for name in ("stacks", "returns"):
        if name in given:
            given[name] = given[name].value
    offer = voucher_programs.add(session, shop_id=ask.shop_id, shared=code is not None, **given)
    if code is not None:
        shared_codes.add(session, offer.id, code)
    after = body.model_dump(mode="json", exclude_none=True)
    audit.record(session, ask.actor, "offer_added", ask.shop_id, program=offer.id, before={}, after=after)
    return _shown(session, offer)


def _shown(session: Session, offer: voucher_programs.Program) -> Program:
    values = asdict(offer)
    room = voucher_limits.room(session, offer.id, budget=offer.budget is not None, uses=offer.shared)
    codes = shared_codes.of_program(session, offer.id) if offer.shared else []
    return Program(
        **{name: value for name, value in values.items() if name in Program.model_fields and name not in {"stacks", "returns"}},
        from_time=_hour(offer.from_minute), until_time=_hour(offer.until_minute), budget_left=room.budget,
        uses_left=room.uses if offer.stock is not None else None, shared_code=codes[0].code if codes else None,
        stacks=None if offer.stacks == Stacks.ALL else Stacks(offer.stacks),
        returns=None if offer.returns == Returns.FULL else Returns(offer.returns),
    )  # fmt: skip


def _hour(minutes: int | None) -> str | None:
    return None if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


def _issue(session: Session, program_id: int, shop: shops.Shop, actor: str, body: Issue) -> list[str]:
    before = voucher_programs.get(session, program_id, shop.id, lock=True).issued
    if body.customer is None:
        codes = vouchers.issue_many(session, program_id, body.count or 1)
        changed = {"issued": [before, before + len(codes)]}
        audit.record(session, actor, "vouchers_given", shop.id, program=program_id, changed=changed)
        return [vouchers.shown(code) for code in codes]
    given = vouchers.issue(session, program_id, named(session, body.customer, shop), tell=True)
    audit.record(
        session, actor, "voucher_given", shop.id, program=program_id, voucher=given.id, customer=given.customer_id
    )
    return [vouchers.shown(given.code)]


CALLS = (
    Call(
        "POST", "/voucher-programs", GROUP, "Offer something", add, {201: Program}, body=NewProgram,
        words="The programme belongs to the key's shop. A customer's tier may pay less than `price_points`.",
    ),
    Call(
        "GET", "/voucher-programs", GROUP, "What the shop offers", every, {200: Programs}, query=Page,
        words=f"{PAGE} offers a page.",
    ),
    Call("GET", "/voucher-programs/{id}", GROUP, "One offer", get, {200: Program}, refusals=["not_found"]),
    Call(
        "POST", "/voucher-programs/{id}/vouchers", GROUP, "Give out vouchers", issue, {201: Codes}, body=Issue,
        refusals=["not_found", "sold_out", "limit_reached", "shared_program"],
    ),
    Call(
        "POST", "/voucher-programs/{id}/batches", GROUP, "Make many codes", add_batch, {202: Batch}, body=NewBatch,
        refusals=["not_found", "sold_out", "shared_program"],
        words="They are made in the background; the console hands them out as CSV.",
    ),
    Call(
        "GET", "/voucher-programs/{id}/batches", GROUP, "An offer's batches", every_batch, {200: Batches}, query=Page,
        refusals=["not_found"], words=f"{PAGE} batches a page.",
    ),
    Call("GET", "/batches/{id}", GROUP, "How far a batch is", batch, {200: Batch}, refusals=["not_found"]),
    Call(
        "POST", "/batches/{id}/stop", GROUP, "Stop a batch", stop_batch, {200: StoppedBatch}, refusals=["not_found"],
        words="What is made stays. Repeatable.",
    ),
    Call(
        "POST", "/batches/{id}/resume", GROUP, "Let a stopped batch go on", resume_batch, {200: Batch},
        refusals=["not_found"], words="Repeatable.",
    ),
)  # fmt: skip
