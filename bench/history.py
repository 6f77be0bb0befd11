"""A desk with a history: a shop with very many tickets of ten messages each over a year, as a desk that works leaves them. One
fill for all that is measured about the desk; in bulk, with what triggers would have kept row by row brought in at the end.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from loyalty import programme
from store import schema, staff
from store.base import to_micros
from store.engine import Store, open_store
from store.staff import Role
from store.text import fold

MESSAGES_EACH = 10
"""Messages of a ticket, the customer's and the shop's in turns."""
UNSOLVED_OF = 50
"""Of so many tickets one is not solved, and of ten of those one is nobody's."""
AGENTS = 10
RARE_OF = 50
"""One of so many messages has a word of its own, shared by every thousandth of those."""
FIRST = 1001
MINUTE = 60_000_000
YEAR = 365 * 24 * 60 * MINUTE
SAYINGS = 997
SAID = (
    "anh chị cho em hỏi đơn hàng giao tới chưa ạ ly bị vỡ shop đổi giúp mình với cảm ơn nhé quán mở cửa mấy giờ điểm của tôi "
    "còn bao nhiêu voucher hết hạn rồi sao không dùng được cà phê sữa đá ngon quá bánh mì giao trễ hoài hôm nay ngày mai"
)
WEEK = [[[8 * 60, 12 * 60], [13 * 60 + 30, 22 * 60]]] * 6 + [[]]
SEARCHED = (("search_messages", "ticket_messages"), ("search_tickets", "tickets"))


@dataclass(frozen=True, slots=True)
class History:
    """A shop and the people at its desk; its tickets are FIRST … FIRST + tickets - 1, each customer has two."""

    shop: int
    agents: list[int]
    tickets: int


@asynccontextmanager
async def stored(url: str, tickets: int) -> AsyncIterator[tuple[Store, History]]:
    """An empty database at a URL with so many tickets, the last of them a minute old."""
    store = open_store(url)
    try:
        await schema.migrate(store)
        shop = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
        agents = [await store.write(staff.add, f"Agent {n}", Role.AGENT, shop) for n in range(AGENTS)]
        now = to_micros(store.clock.now())
        await store.run_on_connection(lambda connection: _fill(connection, tickets, shop, agents, now))
        yield store, History(shop, agents, tickets)
    finally:
        await store.close()


def _fill(connection: sa.Connection, tickets: int, shop: int, agents: Sequence[int], now: int) -> None:
    run = connection.exec_driver_sql
    again = _by_hand(connection, shop)
    run("CREATE TEMP TABLE n (i BIGINT PRIMARY KEY)")
    run(
        f"INSERT INTO n WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {tickets}) SELECT i FROM c"
    )
    run("CREATE TEMP TABLE said (i BIGINT PRIMARY KEY, text TEXT, folded TEXT)")
    dice = random.Random(7)
    sayings = [" ".join(dice.choices(SAID.split(), k=dice.randint(4, 16))) for _ in range(SAYINGS)]
    connection.execute(
        sa.text("INSERT INTO said VALUES (:i, :text, :folded)"),
        [{"i": i, "text": text, "folded": fold(text)} for i, text in enumerate(sayings)],
    )
    people = (tickets + 1) // 2
    run(
        "INSERT INTO customers (id, phone, name, folded, language, code, tags, tier_id, advertising, joined_at, spend_total, "
        "orders_count) SELECT n.i, '+84' || (900000000 + n.i), 'Khách ' || n.i, 'khach ' || n.i, 'vi', 'B' || n.i, '[]', 1, "
        f"false, 1, 0, 0 FROM n WHERE n.i <= {people}"
    )
    ticket, who = f"{FIRST - 1} + n.i", f"1 + n.i % {people}"
    begun = f"{now - 2 * MESSAGES_EACH * MINUTE} - ({tickets} - n.i) * {YEAR // tickets}"
    last, solved = (f"{begun} + {minutes * MINUTE}" for minutes in (MESSAGES_EACH - 1, MESSAGES_EACH))
    unsolved, agent = f"(n.i * 31) % {UNSOLVED_OF} = 0", f"{agents[0]} + n.i / {UNSOLVED_OF} % {AGENTS}"
    preview = """'{"seq": 11, "who": "agent", "text": "Dạ em gửi lại ngay ạ", "kind": null, "state": "sent"}'"""
    run(
        "INSERT INTO tickets (id, shop_id, customer_id, subject, topic, state, priority, assignee_id, created_at, updated_at, "
        "first_response_at, resolved_at, last_seq, changed, preview, folded, language, severity) "
        f"SELECT {ticket}, {shop}, {who}, s.text, CASE n.i % 3 WHEN 0 THEN 'order' WHEN 1 THEN 'product' ELSE 'other' END, "
        f"CASE WHEN {unsolved} THEN CASE n.i % 3 WHEN 0 THEN 'new' WHEN 1 THEN 'open' ELSE 'waiting_customer' END "
        f"WHEN n.i % 20 = 0 THEN 'resolved' ELSE 'closed' END, 'normal', "
        f"CASE WHEN {unsolved} AND n.i % {10 * UNSOLVED_OF} = 0 THEN NULL ELSE {agent} END, {begun}, {last}, "
        f"{begun} + {MINUTE}, CASE WHEN {unsolved} THEN NULL ELSE {solved} END, {MESSAGES_EACH + 2}, n.i, {preview}, "
        f"s.folded || ' khach ' || ({who}) || ' +84' || (900000000 + {who}), 'vi', CASE WHEN n.i % 10 = 3 THEN 3 END "
        f"FROM n JOIN said s ON s.i = n.i % {SAYINGS}"
    )
    for seq, kind, at, wanted in (
        (1, "opened", begun, "true"),
        (MESSAGES_EACH + 2, "resolved", solved, f"NOT ({unsolved})"),
    ):
        run(
            "INSERT INTO ticket_events (ticket_id, seq, changed, at, kind, data) "
            f"SELECT {ticket}, {seq}, n.i, {at}, '{kind}', '{{\"topic\": \"order\"}}' FROM n WHERE {wanted}"
        )
    for place in range(MESSAGES_EACH):
        count = f"(n.i * {MESSAGES_EACH} + {place})"
        rare = f"CASE WHEN {count} % {RARE_OF} = 0 THEN ' rare' || ({count} / {RARE_OF} % 1000) ELSE '' END"
        speaker = f"'agent', {agent}, 'sent'" if place % 2 else "'customer', NULL, NULL"
        run(
            "INSERT INTO ticket_messages (ticket_id, seq, changed, at, text, folded, history, calls, who, staff_id, state) "
            f"SELECT {ticket}, {place + 2}, n.i, {begun} + {place * MINUTE}, s.text || {rare}, s.folded || {rare}, '[]', '{{}}', "
            f"{speaker} FROM n JOIN said s ON s.i = {count} * 7919 % {SAYINGS}"
        )
    calendar = connection.execute(
        sa.text("INSERT INTO calendars (shop_id, at, week, country, days) VALUES (:shop, 1, :week, 'VN', :days) RETURNING id")
        .bindparams(sa.bindparam("week", type_=sa.JSON), sa.bindparam("days", type_=sa.JSON)),
        {"shop": shop, "week": WEEK, "days": {}},
    ).scalar_one()  # fmt: skip
    for kind, minutes in (("first", 1), ("resolution", MESSAGES_EACH)):
        end = f"{begun} + {minutes * MINUTE}"
        run(
            "INSERT INTO sla_clocks (ticket_id, shop_id, kind, number, state, calendar_id, allowance, spent, started_at, "
            f"ended_at, breached_at) SELECT {ticket}, {shop}, '{kind}', 1, CASE WHEN n.i % 9 = 0 THEN 'late' ELSE 'met' END, "
            f"{calendar}, {60 * MINUTE}, {minutes * MINUTE}, {begun}, {end}, CASE WHEN n.i % 9 = 0 THEN {end} END FROM n"
        )
    run(
        f"INSERT INTO ratings (ticket_id, staff_id, stars, comment, at) SELECT {ticket}, {agent}, 1 + n.i * 7 % 5, '', "
        f"{solved} + {MINUTE} FROM n WHERE n.i % 4 = 1 AND NOT ({unsolved})"
    )
    run(
        "INSERT INTO complaints (ticket_id, shop_id, level, judged, facts, set_reason, origin, stage, remedy_words, cause, "
        f"opened_at, tries) SELECT {ticket}, {shop}, 3, 3, '[]', '', 'words', 'received', '', '', {begun}, 0 FROM n "
        "WHERE n.i % 10 = 3"
    )
    run(
        f"INSERT INTO desk_counters (name, value) VALUES ('tickets', {FIRST - 1 + tickets}), ('desk:{shop}', {tickets})"
    )
    run("DROP TABLE n")
    run("DROP TABLE said")
    again()
    run("ANALYZE")


def _by_hand(connection: sa.Connection, shop: int) -> Callable[[], None]:
    """Take triggers out of the way, as one brings in a large backup; what is given back brings in what they keep, the words
    to be searched for, and has them back.
    """
    run = connection.exec_driver_sql
    if connection.dialect.name == "postgresql":
        run("SET LOCAL session_replication_role = replica")
        for index, _ in SEARCHED:
            run(f"DROP INDEX ix_{index}_words")

        def again() -> None:
            for index, of in SEARCHED:
                run(f"INSERT INTO {index} SELECT id, {shop}, search_words(folded) FROM {of} ORDER BY id")
                run(f"CREATE INDEX ix_{index}_words ON {index} USING gin (words)")

        return again
    run("PRAGMA synchronous = OFF")
    triggers = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'search_%'").all()
    for name, _ in triggers:
        run(f"DROP TRIGGER {name}")

    def once_more() -> None:
        for index, of in SEARCHED:
            run(f"INSERT INTO {index} (rowid, words, shop) SELECT id, folded, {shop} FROM {of} ORDER BY id")
        for _, sql in triggers:
            run(sql)

    return once_more
