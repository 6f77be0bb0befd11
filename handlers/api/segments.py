"""Segments over the API: who fits criteria, counted without being kept."""

from typing import Any

from pydantic import BaseModel, Field

from handlers.api.bodies import Body, example
from handlers.api.calls import Answer, Ask, Call
from loyalty.outreach.segments import criteria, segments

GROUP = "Outreach"
WORDS = (
    "Criteria are `{all: […]}`, `{any: […]}`, `{not: …}` or `{field, op, value}`, nested. Fields: `points`, `tier` (by name, "
    "compared by rank), `spend_total` (đồng), `orders_count`, `days_since_last_order`, `joined_days_ago` (whole days of the "
    "shop's calendar), `birthday_month` (1 to 12), `language`, `tag`, `messenger` (`telegram`, `zalo`, `web`). Operators: `=`, "
    "`!=`, `<`, `<=`, `>`, `>=`, and `in` with a list. Who has no value (never ordered) fits nothing but `!=`."
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
