"""The demo's trade: its shops and staff, who buys there, and what they bought in nine months."""

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.demo.past import as_of
from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.outreach import consents
from loyalty.referrals import referrals
from loyalty.tiers import tiers
from loyalty.tiers.tiers import Level
from store import shops, staff, webchat
from store.clock import midnight, now
from store.outbox import Purpose
from store.staff import Role
from support.deadlines import calendars

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
BRAND = "#0F766E"
SHOPS = (
    ("Phố Cafe Cầu Giấy", "12 Trần Đăng Ninh, Cầu Giấy, Hà Nội", "024 3767 1986"),
    ("Phố Cafe Hoàn Kiếm", "45 Hàng Bông, Hoàn Kiếm, Hà Nội", "024 3928 1986"),
)
STAFF = (
    ("Phạm Thu Hà", Role.OWNER, None),
    ("Lê Quang Huy", Role.MANAGER, None),
    ("Vũ Hồng Nhung", Role.SUPERVISOR, None),
    ("Ngô Minh Anh", Role.AGENT, 0),
    ("Đỗ Khánh Linh", Role.AGENT, 1),
    ("Bùi Đức Thắng", Role.CASHIER, 0),
)
FAMILY = ("Nguyễn", "Nguyễn", "Nguyễn", "Trần", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô")
WOMEN = (
    "Thị Lan", "Thu Trang", "Ngọc Mai", "Thanh Huyền", "Phương Thảo", "Khánh Vy", "Hồng Hạnh", "Bảo Châu", "Mỹ Linh",
    "Thuỳ Dương", "Diệu Hiền", "Quỳnh Anh", "Kim Ngân", "Hà My",
)  # fmt: skip
MEN = (
    "Văn Minh", "Đức Anh", "Quốc Bảo", "Hữu Phước", "Gia Huy", "Tuấn Kiệt", "Hoàng Nam", "Thành Đạt", "Minh Quân",
    "Trọng Nghĩa", "Xuân Trường", "Anh Tuấn",
)  # fmt: skip
MENU = (
    ("Cà phê sữa đá", 35_000), ("Bạc xỉu", 39_000), ("Cà phê trứng", 45_000), ("Trà đào cam sả", 49_000),
    ("Trà sen vàng", 52_000), ("Cold brew", 55_000), ("Bánh mì pate", 32_000), ("Bánh croissant", 42_000),
    ("Bánh sừng bò hạnh nhân", 48_000), ("Hạt rang 250 g", 185_000),
)  # fmt: skip
CUSTOMERS = 40
NEW = 3
"""The last of them, who came this week for the first time."""
ORDERS = 300
DAYS = 270
STEP = 50
CHATS, AGREES = 9, 11
"""All but one in so many opened the chat by the code on the counter when they joined; and agreed to hear of offers."""
BROUGHT = ((0, 8), (0, 15), (0, 23), (8, 17), (8, 26), (17, 31), (2, 20))
"""Who brought whom, by their places among the customers in the order in which they came."""
THRESHOLDS = {"Vàng": 90, "Bạch kim": 120}
"""Lower than usual, so that some have come so far in nine months."""
BENEFITS: dict[str, dict[str, Any]] = {
    "Bạc": {"description": "Được nếm thử món mới trước khi lên thực đơn."},
    "Vàng": {"description": "Nước lọc và bánh quy mời kèm mỗi lần ngồi lại.", "multiplier": 125},
    "Bạch kim": {
        "description": "Giữ sẵn chỗ ngồi bạn thích, chỉ cần nhắn trước.", "multiplier": 150, "price_cut": 10,
        "priority": 1,
    },
}  # fmt: skip


OPEN = (((7 * 60, 22 * 60),),) * 7
"""The shops' hours, each day of the week."""


@dataclass(frozen=True, slots=True)
class Bought:
    """An order of the demo: which customer and shop, how long ago, what."""

    who: int
    shop: int
    ago: timedelta
    items: list[dict[str, Any]]
    total: int
    refunded: int
    cancelled: bool


def open_shops(session: Session) -> list[int]:
    began = now(session) - timedelta(days=DAYS + 5)
    ids = []
    for name, address, phone in SHOPS:
        shop_id = as_of(session, began, programme.open_shop, name, timezone=str(ZONE), language="vi", brand=BRAND)
        shops.change(session, shop_id, address=address, phone=phone)
        as_of(session, began, calendars.save, shop_id, OPEN, "VN", {})
        ids.append(shop_id)
    for name, role, at in STAFF:
        as_of(session, began, staff.add, name, role, None if at is None else ids[at])
    ladder = tiers.every(session)
    tiers.save(session, [Level(tier.id, tier.name, THRESHOLDS.get(tier.name, tier.threshold)) for tier in ladder])
    for tier in ladder:
        if tier.name in BENEFITS:
            tiers.change(session, tier.id, **BENEFITS[tier.name])
    return ids


def people(rng: random.Random) -> list[dict[str, Any]]:
    """Who buys: phone, name, perhaps a birthday."""
    names: dict[str, None] = {}
    while len(names) < CUSTOMERS:
        names[f"{rng.choice(FAMILY)} {rng.choice(rng.choice((WOMEN, MEN)))}"] = None
    prefixes = ("90", "91", "93", "97", "98", "86", "33", "70")
    phones: dict[str, None] = {}
    while len(phones) < CUSTOMERS:
        phones[f"+84{rng.choice(prefixes)}{rng.randrange(10**7):07d}"] = None
    return [
        {
            "phone": phone, "name": name,
            "birthday": date(rng.randrange(1975, 2007), rng.randrange(1, 13), rng.randrange(1, 29))
            if rng.random() < 0.6 else None,
        }
        for name, phone in zip(names, phones, strict=True)
    ]  # fmt: skip


def bought(rng: random.Random, moment: datetime) -> list[Bought]:
    """Some customers come every week, many now and then, some stopped coming months ago: as in a real shop, by day."""
    today = midnight(moment.astimezone(ZONE), ZONE)
    weights = [rng.paretovariate(1.1) for _ in range(CUSTOMERS)]
    stopped = [rng.random() < 0.25 for _ in range(CUSTOMERS)]
    weights[-NEW:] = [0.0] * NEW
    made = []
    for number in range(ORDERS):
        who = number if number < CUSTOMERS else rng.choices(range(CUSTOMERS), weights)[0]
        days = rng.randrange(90, DAYS) if stopped[who] else int(DAYS * rng.random() ** 1.3)
        if who >= CUSTOMERS - NEW:
            days = CUSTOMERS - who
        bought = [
            (name, price, rng.choice((1, 1, 1, 2))) for name, price in rng.sample(MENU, rng.choice((1, 1, 2, 2, 3)))
        ]
        luck, shop = rng.random(), int(rng.random() < 0.35)
        at = today - timedelta(days=days) + timedelta(hours=7 + rng.randrange(1, 12), minutes=rng.randrange(60))
        if at > moment:
            at -= timedelta(days=1)
        made.append(
            Bought(
                who=who,
                shop=shop,
                ago=moment - at,
                items=[{"name": name, "quantity": quantity, "price": price} for name, price, quantity in bought],
                total=sum(price * quantity for _, price, quantity in bought),
                refunded=bought[0][1] if luck < 0.02 else 0,
                cancelled=luck > 0.985,
            )
        )
    return sorted(made, key=lambda order: order.ago, reverse=True)


def join(
    session: Session, values: Sequence[dict[str, Any]], made: Sequence[Bought], shop_ids: Sequence[int]
) -> list[int]:
    """Have each join shortly before their first order, where that was; their numbers."""
    first = {order.who: order for order in reversed(made)}
    ids = []
    for place, told in enumerate(values):
        order = first[place]
        joined_at = now(session) - order.ago - timedelta(minutes=30 + place)
        shop_id = shop_ids[order.shop]
        ids.append(as_of(session, joined_at, customers.create, **told, home_shop_id=shop_id, joined_at=joined_at))
        if place % CHATS:
            as_of(session, joined_at, meet, ids[-1])
        if place % CHATS and place % AGREES:
            as_of(
                session, joined_at, consents.record, ids[-1], Purpose.ADVERTISING, agreed=True,
                proof={"way": "privacy", "account": "web"},
            )  # fmt: skip
    return ids


def meet(session: Session, customer_id: int) -> None:
    """Have somebody open the web chat, where they haven't yet."""
    met = customers.identities
    if session.execute(select(met.c.customer_id).where(met.c.customer_id == customer_id)).first() is not None:
        return
    chat_id, moment = webchat.open_chat(session, "vi"), now(session)
    session.execute(
        met.insert().values(
            account="web", user_id=chat_id, customer_id=customer_id, chat_id=chat_id, joined_at=moment,
            last_seen_at=moment,
        )
    )  # fmt: skip


def brought(ids: Sequence[int], made: Sequence[Bought]) -> dict[int, int]:
    """Who was brought by whom, by their numbers."""
    came = list(dict.fromkeys(order.who for order in made))
    return {ids[came[friend]]: ids[came[host]] for host, friend in BROUGHT}


def buy(
    session: Session,
    shop_ids: Sequence[int],
    ids: Sequence[int],
    hosts: dict[int, int],
    made: Sequence[Bought],
    first: int,
) -> Generator[int, None, None]:
    """Take these orders, numbered from `first` on; gives the number of the last one now and then. Who was brought by a
    friend (`hosts`) opens their link just before they buy for the first time.
    """
    moment, waiting = now(session), dict(hosts)
    for number, order in enumerate(made, start=first):
        at, who = moment - order.ago, ids[order.who]
        if who in waiting:
            code = referrals.code_of(session, waiting.pop(who))
            as_of(session, at - timedelta(minutes=20), referrals.open_link, code, who)
        told = OrderInput(
            total=order.total, currency="VND", placed_at=at, customer_id=who, items=order.items,
            status=Status.CANCELLED if order.cancelled else Status.COMPLETED, refunded=order.refunded or None,
        )  # fmt: skip
        as_of(session, at, orders.put, shop_ids[order.shop], f"PC-{1000 + number}", told, source="till", quiet=True)
        if number % STEP == 0 or number == first + len(made) - 1:
            yield number
