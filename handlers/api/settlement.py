"""The settlement between shops over the API."""

from datetime import date

from pydantic import BaseModel, Field

from handlers.api.bodies import Body, Day, example
from handlers.api.calls import Answer, Ask, Call
from loyalty.points import settlement


class Period(Body):
    from_: Day = Field(alias="from", description="First day, included.", examples=["2026-11-01"])
    to: Day = Field(description="Last day, included.", examples=["2026-11-30"])


class ShopSettlement(BaseModel):
    shop: int = Field(description="The shop's number.")
    name: str
    issued: int = Field(description="Points given from the shop's wallet, less what refunds took back.")
    redeemed: int = Field(description="Points spent with the shop, less what was given back.")
    net: int = Field(description="issued less redeemed: above 0 the shop owes the others.")


class Settlement(BaseModel):
    model_config = example({
        "from": "2026-11-01", "to": "2026-11-30",
        "shops": [{"shop": 1, "name": "Phố Cafe", "issued": 12_400, "redeemed": 9_100, "net": 3_300}],
    })  # fmt: skip

    from_: date = Field(alias="from")
    to: date
    shops: list[ShopSettlement]


async def report(ask: Ask, query: Period) -> Answer:
    lines = await ask.report(settlement.report, query.from_, query.to)
    shops = [
        ShopSettlement(shop=line.shop_id, name=line.name, issued=line.issued, redeemed=line.redeemed, net=line.net)
        for line in lines
    ]
    return 200, Settlement.model_validate({"from": query.from_, "to": query.to, "shops": shops})


CALLS = (
    Call(
        "GET", "/settlement", "Settlement", "Read what each shop issued and redeemed", report, {200: Settlement},
        query=Period, words="The days are those of each shop's own time zone.",
    ),
)  # fmt: skip
