"""The settlement between shops over the API."""

from datetime import date

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, Day, example
from handlers.api.calls import Answer, Ask, Call
from loyalty.points import debts, settlement
from loyalty.points.debts import Debt
from loyalty.points.settlement import Line


class Period(Body):
    from_: Day = Field(alias="from", description="First day, included.", examples=["2026-11-01"])
    to: Day = Field(description="Last day, included.", examples=["2026-11-30"])


class ShopSettlement(BaseModel):
    shop: int = Field(description="The shop's number.")
    name: str
    issued: int = Field(description="Points given from the shop's wallet, less what refunds took back.")
    redeemed: int = Field(description="Points spent with the shop, less what was given back.")
    net: int = Field(description="issued less redeemed: above 0 the shop owes the others.")


class ShopDebt(BaseModel):
    debtor: int = Field(description="The shop that owes.")
    creditor: int = Field(description="The shop that it owes.")
    points: int = Field(description="The debtor's points that the creditor took, less the other way round; above 0.")
    worth: int = Field(description="đồng that they are worth, at what a point pays today.")


class Settlement(BaseModel):
    model_config = example({
        "from": "2026-11-01", "to": "2026-11-30",
        "shops": [{"shop": 1, "name": "Phố Cafe", "issued": 12_400, "redeemed": 9_100, "net": 3_300}],
        "debts": [{"debtor": 1, "creditor": 2, "points": 1_200, "worth": 24_000}],
    })  # fmt: skip

    from_: date = Field(alias="from")
    to: date
    shops: list[ShopSettlement]
    debts: list[ShopDebt] = Field(description="Who owes whom, pair by pair, the greatest first.")


async def report(ask: Ask, query: Period) -> Answer:
    def look(session: Session) -> tuple[list[Line], list[Debt]]:
        return settlement.report(session, query.from_, query.to), debts.report(session, query.from_, query.to)

    lines, owed = await ask.report(look)
    shops = [
        ShopSettlement(shop=line.shop_id, name=line.name, issued=line.issued, redeemed=line.redeemed, net=line.net)
        for line in lines
    ]
    pairs = [
        ShopDebt(debtor=debt.debtor.id, creditor=debt.creditor.id, points=debt.points, worth=debt.worth)
        for debt in owed
    ]
    return 200, Settlement.model_validate({"from": query.from_, "to": query.to, "shops": shops, "debts": pairs})


CALLS = (
    Call(
        "GET", "/settlement", "Settlement", "Read what each shop issued and redeemed", report, {200: Settlement},
        query=Period, words="The days are those of each shop's own time zone.",
    ),
)  # fmt: skip
