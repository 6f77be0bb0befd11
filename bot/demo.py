"""The demo: a café with two shops, staff, forty customers and nine months of orders, made by the real rules.

The same each time (a fixed seed), its days counted back from today.
"""

import random
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.commands.opening import CommandError, opened, say, show
from bot.links import login_link
from bot.settings import Settings
from loyalty import customers, orders, points, programme, referrals, rewards, voucher_programs
from loyalty.orders import OrderInput, Status
from loyalty.voucher_programs import Kind
from store import audit, schema, shops, staff, webchat
from store.audit import AuditRow
from store.clock import SetClock, now
from store.engine import Store
from store.errors import RuleError
from store.staff import Member, Role
from support import handling, messages, ratings, tickets

T = TypeVar("T")

SEED = 1986
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
BRAND = "#0F766E"
SHOPS = ("Phố Cafe Cầu Giấy", "Phố Cafe Hoàn Kiếm")
SEEDED = "demo.seed"
"""The mark in the audit by which a demo's database is known, so that `--fresh` never empties another one."""
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
ORDERS = 300
DAYS = 270
STEP = 50


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A conversation with the help desk: who asks (by place among the customers), how long ago, what was said."""

    who: int
    hours: int
    topic: str
    lines: tuple[tuple[str, str], ...]
    stars: int | None = None


TICKETS = (
    _Ticket(0, 1, "order", (("customer", "Chị ơi đơn sáng nay của em thiếu một cái croissant ạ"),)),
    _Ticket(
        3, 5, "points",
        (
            ("customer", "Mình mua hôm qua mà chưa thấy cộng điểm"),
            ("agent", "Dạ em chào chị, chị cho em xin mã trên hoá đơn để em kiểm tra ngay ạ."),
            ("customer", "Mã PC-1204 bạn nhé"),
        ),
    ),
    _Ticket(7, 26, "product", (("customer", "Bên mình có bán hạt cà phê nguyên hạt loại 500 g không ạ?"),)),
    _Ticket(
        5, 50, "complaint",
        (
            ("customer", "Hôm qua mình chờ gần 30 phút mới có đồ uống, hơi thất vọng"),
            ("agent", "Dạ bên em thành thật xin lỗi chị. Hôm qua quán thiếu người giờ cao điểm, hôm nay đã bổ sung rồi ạ."),
            ("note", "Khách quen, tuần ghé 3 lần. Đã báo quản lý."),
        ),
    ),
    _Ticket(
        11, 75, "order",
        (
            ("customer", "Mình muốn đặt 20 ly cho văn phòng sáng mai được không?"),
            ("agent", "Dạ được ạ, chị cho em xin giờ giao và địa chỉ nhé."),
            ("customer", "9 giờ, tầng 5 toà nhà bên cạnh. Cảm ơn bạn!"),
            ("resolved", ""),
        ),
        5,
    ),
)  # fmt: skip


async def run(settings: Settings, *, fresh: bool) -> None:
    """Make the demo shop where there is none yet, and serve it. Raises CommandError on a database that isn't a demo's."""
    say(f"the demo's data is in {settings.database_url.rpartition('@')[2].removeprefix('sqlite+aiosqlite:///')}")
    async with opened(settings) as store:
        seeded = await store.read(is_demo)
        others = [] if seeded else await store.read(shops.every)
        if others:
            raise CommandError(
                "this database holds a real shop: name another one for the demo in REGULARS_DATABASE_URL", 2
            )
        if fresh and seeded:
            say("starting over")
            await schema.migrate(store, "base")
            await schema.migrate(store)
        if fresh or not seeded:
            async for step in seed(store):
                say(step)
    say("starting")
    # Only here: what talks to messengers takes seconds to import.
    from bot import app

    async def ready(store: Store) -> None:
        for line in await addresses(settings, store):
            show(line)

    await app.run(settings, demo=True, ready=ready)


async def addresses(settings: Settings, store: Store) -> list[str]:
    """Where everything is, with fresh one-time links for the staff."""
    base = settings.base_url
    lines = [
        "",
        f"  Customer chat   {base}/chat",
        f"  Agents' desk    {base}/desk",
        f"  Console         {base}/shop",
        f"  Till            {base}/till",
        f"  API docs        {base}/api/docs",
        "",
        "  Sign in, each link once:",
    ]
    for name, role, _ in STAFF:
        for member in await store.read(staff.find, name):
            token = await store.write(staff.make_link, member.id, "login")
            lines.append(f"  {name} ({role.value})".ljust(34) + login_link(settings, token))
    return [*lines, "", "  Ctrl+C stops it; the data stays."]


def is_demo(session: Session) -> bool:
    """Whether this database was made by the demo."""
    return session.execute(select(AuditRow.id).where(AuditRow.action == SEEDED).limit(1)).first() is not None


async def seed(store: Store) -> AsyncIterator[str]:
    """Fill an empty database; tells what it is doing."""
    rng = random.Random(SEED)
    yield "opening the shops"
    shop_ids = await store.write(_open_shops)
    people = [await store.write(customers.create, **values) for values in _people(rng, shop_ids[0])]
    yield f"{len(people)} customers have joined"
    async for count in store.stream(_buy, shop_ids, _orders(rng)):
        if count % (2 * STEP) == 0 or count == ORDERS:
            yield f"{count} orders"
    await store.write(_reward, people)
    yield "rewards and vouchers are in the catalogue"
    for ticket in TICKETS:
        await store.write(_ask, people[ticket.who], shop_ids[0], ticket)
    yield f"{len(TICKETS)} customers have asked the help desk"
    # The mark comes last: a demo that was cut off while it was made is not taken for a whole one.
    await store.write(lambda session: audit.record(session, "cli", SEEDED))


def _at(session: Session, moment: datetime, rule: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a rule as if it were that moment, so that the demo has a past."""
    clock = session.info["clock"]
    session.info["clock"] = SetClock(moment)
    try:
        return rule(session, *args, **kwargs)
    finally:
        session.info["clock"] = clock


def _open_shops(session: Session) -> list[int]:
    began = now(session) - timedelta(days=DAYS + 5)
    ids = []
    for name in SHOPS:
        shop_id = _at(session, began, programme.open_shop, name, timezone=str(ZONE), language="vi", brand=BRAND)
        ids.append(shop_id)
    for name, role, at in STAFF:
        _at(session, began, staff.add, name, role, None if at is None else ids[at])
    return ids


def _people(rng: random.Random, shop_id: int) -> list[dict[str, Any]]:
    names: dict[str, None] = {}
    while len(names) < CUSTOMERS:
        names[f"{rng.choice(FAMILY)} {rng.choice(rng.choice((WOMEN, MEN)))}"] = None
    prefixes = ("90", "91", "93", "97", "98", "86", "33", "70")
    phones: dict[str, None] = {}
    while len(phones) < CUSTOMERS:
        phones[f"+84{rng.choice(prefixes)}{rng.randrange(10**7):07d}"] = None
    return [
        {
            "phone": phone, "name": name, "home_shop_id": shop_id,
            "birthday": date(rng.randrange(1975, 2007), rng.randrange(1, 13), rng.randrange(1, 29))
            if rng.random() < 0.6 else None,
            "joined_at": datetime.now(UTC) - timedelta(days=DAYS + 4, minutes=rng.randrange(3000)),
        }
        for name, phone in zip(names, phones, strict=True)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Order:
    """An order of the demo: which customer and shop, how long ago, what."""

    who: int
    shop: int
    ago: timedelta
    items: list[dict[str, Any]]
    total: int
    refunded: int
    cancelled: bool


def _orders(rng: random.Random) -> list[_Order]:
    """Some customers come every week, many now and then, some stopped coming months ago: as in a real shop."""
    weights = [rng.paretovariate(1.1) for _ in range(CUSTOMERS)]
    stopped = [rng.random() < 0.25 for _ in range(CUSTOMERS)]
    made = []
    for number in range(ORDERS):
        who = number if number < CUSTOMERS else rng.choices(range(CUSTOMERS), weights)[0]
        days = rng.randrange(90, DAYS) if stopped[who] else int(DAYS * rng.random() ** 1.3)
        bought = [
            (name, price, rng.choice((1, 1, 1, 2))) for name, price in rng.sample(MENU, rng.choice((1, 1, 2, 2, 3)))
        ]
        luck = rng.random()
        made.append(
            _Order(
                who=who,
                shop=int(rng.random() < 0.35),
                ago=timedelta(days=days, hours=rng.randrange(1, 12), minutes=rng.randrange(60)),
                items=[{"name": name, "quantity": quantity, "price": price} for name, price, quantity in bought],
                total=sum(price * quantity for _, price, quantity in bought),
                refunded=bought[0][1] if luck < 0.02 else 0,
                cancelled=luck > 0.985,
            )
        )
    return sorted(made, key=lambda order: order.ago, reverse=True)


def _buy(session: Session, shop_ids: list[int], made: list[_Order]) -> Generator[int, None, None]:
    moment = now(session)
    people = session.execute(select(customers.customers.c.id).order_by(customers.customers.c.id)).scalars().all()
    for number, order in enumerate(made, start=1):
        at = moment - order.ago
        told = OrderInput(
            total=order.total, currency="VND", placed_at=at, customer_id=people[order.who], items=order.items,
            status=Status.CANCELLED if order.cancelled else Status.COMPLETED, refunded=order.refunded or None,
        )  # fmt: skip
        _at(session, at, orders.put, shop_ids[order.shop], f"PC-{1000 + number}", told, source="till", quiet=True)
        if number % STEP == 0 or number == len(made):
            yield number


def _reward(session: Session, people: list[int]) -> None:
    began = now(session) - timedelta(days=200)

    def offer(**values: Any) -> int:
        return _at(session, began, voucher_programs.add, **values).id

    coffee = offer(name="Một ly cà phê sữa đá", kind=Kind.GIFT, value=35_000, price_points=150, valid_days=30)
    off = offer(
        name="Giảm 30.000đ cho đơn từ 100.000đ", kind=Kind.AMOUNT, value=30_000, min_order=100_000, price_points=200,
        valid_days=45, per_customer=3,
    )  # fmt: skip
    offer(name="Giảm 15%, tối đa 50.000đ", kind=Kind.PERCENT, value=15, cap=50_000, price_points=250, valid_days=30)
    offer(name="Bánh croissant mời bạn mới", kind=Kind.GIFT, value=42_000, price_points=180, stock=100, valid_days=30)
    for number, person in enumerate(sorted(people, key=lambda each: -points.balances(session, each)[0])[:6]):
        program, price = (coffee, 150) if number % 2 else (off, 200)
        try:
            with session.begin_nested():
                at = now(session) - timedelta(days=3 + number)
                _at(session, at, rewards.buy, person, program, price=price, key=f"demo:{person}")
        except RuleError:
            # The points of a customer who comes rarely may not reach.
            continue
    for host in people[:3]:
        referrals.code_of(session, host)


def _ask(session: Session, customer_id: int, shop_id: int, ticket: _Ticket) -> None:
    began = now(session) - timedelta(hours=ticket.hours)
    person = customers.get(session, customer_id)
    # Somebody who writes has a chat: answers from the desk arrive there.
    chat_id = _at(session, began, webchat.open_chat, "vi")
    _at(session, began, _tie, customer_id, chat_id)
    agent = next(member for member in staff.every(session) if _answers(member, shop_id))
    joined = _at(session, began, tickets.open_or_join, person.id, shop_id, topic=ticket.topic)
    for number, (who, text) in enumerate(ticket.lines):
        at = began + timedelta(minutes=4 * number)
        if who == "customer":
            _at(session, at, messages.customer_says, joined.ticket.id, text=text)
        elif who == "agent":
            _at(session, at, messages.agent_says, joined.ticket.id, agent, text, key=f"demo:{number}")
        elif who == "note":
            _at(session, at, messages.note, joined.ticket.id, agent, text, key=f"demo:{number}")
        else:
            _at(session, at, handling.resolve, joined.ticket.id, agent)
    if ticket.stars:
        _at(session, began + timedelta(hours=1), ratings.rate, joined.ticket.id, person.id, ticket.stars)


def _answers(member: Member, shop_id: int) -> bool:
    return any(role is Role.AGENT and at == shop_id for role, at in member.roles)


def _tie(session: Session, customer_id: int, chat_id: int) -> None:
    moment = now(session)
    session.execute(
        customers.identities.insert().values(
            account="web", user_id=chat_id, customer_id=customer_id, chat_id=chat_id, joined_at=moment,
            last_seen_at=moment,
        )
    )  # fmt: skip
