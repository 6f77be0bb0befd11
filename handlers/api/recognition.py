"""Recognition over the API: what a shop has of badges, quests and streaks, and how a customer stands in them."""

from dataclasses import dataclass
from datetime import date, datetime

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from handlers.api.bodies import example
from handlers.api.calls import Answer, Ask, Call
from loyalty.customers import customers
from loyalty.recognition import badges, progress, quests, streaks, visits
from loyalty.recognition.badges import Badge
from loyalty.recognition.progress import Standing
from loyalty.recognition.quests import Quest
from loyalty.recognition.streaks import Streak, Unit
from store.clock import now, today
from store.shops import Shop

GROUP = "Recognition"
_BADGE = {"id": 2, "name": "Khách quen", "about": "10 lần ghé quán", "icon": "star", "active": True, "holders": 41}
_QUEST = {
    "id": 5, "name": "Ba món mới", "about": "Thử ba món mới trong tháng", "target": 3, "every": "month",
    "starts_at": "2026-11-01T00:00:00Z", "ends_at": None,
}  # fmt: skip
_STREAK = {"unit": "week", "length": 4, "best": 9, "today": True, "keep_by": "2026-11-29"}


class ShopBadge(BaseModel):
    model_config = example(_BADGE)

    id: int
    name: str
    about: str
    icon: str
    active: bool = Field(description="Whether it can be earned now.")
    holders: int = Field(description="Customers who have it.")


class ShopQuest(BaseModel):
    model_config = example(_QUEST)

    id: int
    name: str
    about: str
    target: int
    every: str = Field(description="How often it begins anew.")
    starts_at: datetime
    ends_at: datetime | None


class Recognition(BaseModel):
    model_config = example({"streaks": "week", "badges": [_BADGE], "quests": [_QUEST]})

    streaks: Unit | None = Field(description="What visits in a row are counted in; null: they aren't.")
    badges: list[ShopBadge]
    quests: list[ShopQuest]


class CustomerStreak(BaseModel):
    model_config = example(_STREAK)

    unit: Unit
    length: int = Field(description="Units in a row up to now; 0: broken, or none yet.")
    best: int
    today: bool = Field(description="Whether the unit that runs has its visit already.")
    keep_by: date | None = Field(description="The last day for a visit that carries it on.")


class CustomerBadge(BaseModel):
    model_config = example({"id": 2, "name": "Khách quen", "at": "2026-11-21T07:05:00Z"})

    id: int
    name: str
    at: datetime


class CustomerQuest(BaseModel):
    model_config = example({
        "id": 5, "name": "Ba món mới", "reached": 2, "target": 3, "done": False, "prize": "Trà đào",
        "until": "2026-11-30T17:00:00Z",
    })  # fmt: skip

    id: int
    name: str
    reached: int
    target: int
    done: bool
    prize: str
    until: datetime | None = Field(description="When its period is over.")


class CustomerRecognition(BaseModel):
    model_config = example({
        "streak": _STREAK, "badges": [CustomerBadge.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
        "quests": [CustomerQuest.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
    })  # fmt: skip

    streak: CustomerStreak | None = Field(description="null where the shop counts none.")
    badges: list[CustomerBadge]
    quests: list[CustomerQuest] = Field(description="Those that run now.")


@dataclass(frozen=True, slots=True)
class Offered:
    """What a shop has."""

    unit: Unit | None
    badges: list[Badge]
    holders: dict[int, int]
    quests: list[Quest]


@dataclass(frozen=True, slots=True)
class Stands:
    """How a customer stands in it."""

    streak: Streak | None
    badges: list[tuple[Badge, datetime]]
    quests: list[Standing]


async def every(ask: Ask) -> Answer:
    def look(session: Session) -> Offered:
        return Offered(
            streaks.unit_of(session, ask.shop_id), badges.of_shop(session, ask.shop_id),
            badges.holders(session, ask.shop_id), quests.of_shop(session, ask.shop_id),
        )  # fmt: skip

    found = await ask.read(look)
    return 200, Recognition(
        streaks=found.unit,
        badges=[
            ShopBadge(
                id=one.id, name=one.name, about=one.about, icon=one.icon, active=one.active,
                holders=found.holders.get(one.id, 0),
            )
            for one in found.badges
        ],
        quests=[
            ShopQuest(
                id=one.id, name=one.name, about=one.about, target=one.target, every=one.every, starts_at=one.starts_at,
                ends_at=one.ends_at,
            )
            for one in found.quests
        ],
    )  # fmt: skip


async def of_customer(ask: Ask) -> Answer:
    shop = await ask.shop()
    number = await ask.read(customers.resolve, ask.number("customer"))
    found = await ask.read(_stands, shop, number)
    await ask.saw(number)
    streak = found.streak
    return 200, CustomerRecognition(
        streak=None if streak is None else CustomerStreak(
            unit=streak.unit, length=streak.length, best=streak.best, today=streak.today, keep_by=streak.keep_by
        ),
        badges=[CustomerBadge(id=one.id, name=one.name, at=at) for one, at in found.badges],
        quests=[
            CustomerQuest(
                id=one.quest.id, name=one.quest.name, reached=one.reached, target=one.quest.target, done=one.done,
                prize=one.prize.name, until=one.until,
            )
            for one in found.quests
        ],
    )  # fmt: skip


def _stands(session: Session, shop: Shop, customer_id: int) -> Stands:
    person = customers.get(session, customer_id).id
    unit, streak = streaks.unit_of(session, shop.id), None
    if unit is not None:
        days = (visit.day for visit in visits.of(session, shop, person))
        streak = streaks.standing(days, unit, today(session, shop.timezone))
    found = progress.standings(session, shop, person, now(session))
    return Stands(streak, badges.of_customer(session, shop.id, person), found)


CALLS = (
    Call(
        "GET", "/recognition", GROUP, "List badges, quests and streaks", every, {200: Recognition},
        words="What the key's shop has for its customers, ended quests too.",
    ),
    Call(
        "GET", "/customers/{id}/recognition", GROUP, "Read a customer's badges, streak and quests", of_customer,
        {200: CustomerRecognition}, refusals=["not_found"], words="At the key's shop.",
    ),
)  # fmt: skip
