"""Points by hand over the API: give or take some, once for each Idempotency-Key."""

import re

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, example
from handlers.api.calls import Answer, Ask, Call
from handlers.api.customers import Entry, entry_of
from handlers.api.problems import FieldError, ProblemError, invalid
from loyalty import programme
from loyalty.customers import customers
from loyalty.points import ledger, points, statement
from store import shops

HEADER = "Idempotency-Key"
REASON_CHARS_MAX = 200


class Adjustment(Body):
    model_config = example({"points": 50, "reason": "Goodwill for a late delivery"})

    points: int = Field(
        ge=-points.POINTS_MAX, le=points.POINTS_MAX, description="Above 0 to give, below 0 to take; not 0."
    )
    reason: str = Field(min_length=1, max_length=REASON_CHARS_MAX)


async def adjust(ask: Ask, body: Adjustment) -> Answer:
    given = ask.request.headers.get(HEADER)
    if given is None:
        raise ProblemError("idempotency_key_missing", errors=[
            FieldError(field=HEADER, problem="required", detail="This call needs the header"),
        ])  # fmt: skip
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", given):
        raise invalid(FieldError(field=HEADER, problem="format", detail="1 to 200 visible ASCII signs"))
    shop = await ask.shop()
    return 201, await ask.write(_adjust, ask.number("customer"), shop, given, body, ask.actor)


def _adjust(session: Session, customer_id: int, shop: shops.Shop, given: str, body: Adjustment, actor: str) -> Entry:
    owner = customers.resolve(session, customer_id)
    key = f"api:{shop.id}:{given}"
    # Two calls with one key at one instant: the second waits here and then finds what the first one posted.
    ledger.lock(session, [
        ledger.account(session, "customer", owner, "available"), ledger.account(session, "shop", shop.id, "wallet"),
    ])  # fmt: skip
    sealed = session.execute(select(ledger.transfers.c.hash).where(ledger.transfers.c.key == key)).scalar()
    if sealed == ledger.seal("adjust", [customer_id, shop.id, body.points, body.reason]):
        # As it was asked then: the customer may have been merged into another since.
        owner = customer_id
    done = points.adjust(
        session, key, customer_id=owner, shop_id=shop.id, points=body.points, reason=body.reason,
        expires_at=programme.expiry(session, zone=shop.timezone), actor=actor,
    )  # fmt: skip
    return entry_of(statement.entry(session, owner, done.transfer_id), shop.timezone)


CALLS = (
    Call(
        "POST", "/customers/{id}/points", "Points", "Give or take points by hand", adjust, {201: Entry},
        body=Adjustment, headers=[HEADER],
        refusals=["not_found", "idempotency_key_missing", "idempotency_conflict", "insufficient_points"],
        words="The same key with the same body gives the same answer and posts nothing again.",
    ),
)  # fmt: skip
