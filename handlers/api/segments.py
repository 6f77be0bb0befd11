"""Segments over the API: who fits criteria, counted without being kept."""

from typing import Any

from pydantic import BaseModel, Field

from handlers.api.bodies import Body, example
from handlers.api.calls import Answer, Ask, Call
from loyalty.customers.rfm import Rfm
from loyalty.outreach.segments import criteria, segments

GROUP = "Outreach"
WORDS = (
    "Criteria are `{all: […]}`, `{any: […]}`, `{not: …}` or `{field, op, value}`, nested. Operators: `=`, `!=`, `<`, `<=`, `>`, "
    "`>=`, and `in` with a list. Who has no value (never ordered) fits nothing but `!=`. Days are whole days of the shop's "
    "calendar, money is đồng.\n\n"
    "Numbers: `points`, `points_pending`, `points_expiring`*, `tier_points`, `spend_total`, `orders_count`, `average_order`, "
    "`orders`*, `spend`*, `days_since_last_order`, `days_since_first_order`, `days_since_last_reply`, `joined_days_ago`, "
    "`birthday_month` (1 to 12), `debt`, `vouchers` (unused ones), `friends` (brought), `messages`*, `messages_clicked`*, "
    "`open_tickets`, `open_complaints`, `last_rating`, `p_alive` (per cent, by the forecast), `worth` (đồng expected in a year); "
    "`tier` by name, compared by rank.\n\n"
    "Only `=`, `!=` and `in`: `item`*, `category`* (bought; marks and case aside), `tag`, `language`, `messenger` (`telegram`, "
    "`zalo`, `web`), `birthday` (`today`, `this_month`, `next_month`), `rfm` ("
    + ", ".join(f"`{one.value}`" for one in Rfm)
    + "), "
    "`reachable`, `offers` (agreed to them), `referred`, `tier_at_risk` (`yes`, `no`), and by number: `shop` (home), "
    "`ordered_at`* (shop), `voucher_of` (programme), `list`, `campaign_got`, `campaign_clicked`, `campaign_redeemed`.\n\n"
    "A field with * takes `days` beside its value: within so many days (of `points_expiring`: from now on)."
)


class Asked(Body):
    model_config = example({
        "criteria": {"all": [
            {"field": "orders_count", "op": ">=", "value": 3}, {"field": "days_since_last_order", "op": ">", "value": 60},
            {"not": {"field": "tag", "op": "=", "value": "wholesale"}},
        ]},
    })  # fmt: skip

    criteria: dict[str, Any] = Field(description="Who is meant.")


class Preview(BaseModel):
    model_config = example({"count": 412, "sample": [1042, 1031, 988]})

    count: int = Field(description="How many customers fit now.")
    sample: list[int] = Field(description=f"Numbers of some of them, the newest: {segments.SAMPLE} at most.")


async def preview(ask: Ask, body: Asked) -> Answer:
    shop = await ask.shop()
    found = await ask.report(segments.preview, criteria.parse(body.criteria), shop.timezone)
    return 200, Preview(count=found.count, sample=found.sample)


CALLS = (
    Call(
        "POST", "/segments/preview", GROUP, "Count who fits criteria", preview, {200: Preview}, body=Asked, words=WORDS
    ),
)
