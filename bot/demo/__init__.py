"""The demo: a café with two shops, staff, forty customers, nine months of orders and all that goes on around them, made by
the real rules.

The same each time (a fixed seed; only what nobody may foresee, as a lucky draw's seed, is not), its days counted back from
today.
"""

import random
from collections.abc import AsyncIterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.commands.opening import CommandError, opened, say, show
from bot.demo import campaign, counter, desk, joy, reach, trade
from bot.demo.past import as_of
from bot.demo.trade import STAFF
from bot.links import login_link
from bot.settings import Settings
from store import audit, schema, shops, staff
from store.audit import AuditRow
from store.clock import now
from store.engine import Store

SEED = 1986
SEEDED = "demo.seed"
"""The mark in the audit by which a demo's database is known, so that `--fresh` never empties another one."""


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
    shop_ids = await store.write(trade.open_shops)
    people, made = trade.people(rng), trade.bought(rng, store.clock.now())
    ids = await store.write(trade.join, people, made, shop_ids)
    yield f"{len(ids)} customers have joined"
    hosts = trade.brought(ids, made)
    offers = await store.write(joy.offer)
    before = sum(order.ago > joy.PLAYS for order in made)
    for first, part in ((1, made[:before]), (1 + before, made[before:])):
        if first > 1:
            await store.write(_open_games, shop_ids[0], offers)
        async for count in store.stream(trade.buy, shop_ids, ids, hosts, part, first):
            if count % (2 * trade.STEP) == 0 or count == len(made):
                yield f"{count} orders"
    await store.write(_go_on, shop_ids[0], ids, offers)
    yield "rewards, games and invitations are under way"
    await store.write(reach.prepare, shop_ids[0])
    owner = await store.read(_member, staff.Role.OWNER)
    came = await store.write(campaign.run, shop_ids[0], f"staff:{owner}", SEED)
    yield f"{came} customers came by a campaign"
    for ticket in desk.TICKETS:
        await store.write(desk.ask, ids[ticket.who], shop_ids[0], ticket)
    yield f"{len(desk.TICKETS)} customers have asked the help desk"
    # The mark comes last: a demo that was cut off while it was made is not taken for a whole one.
    await store.write(lambda session: audit.record(session, "cli", SEEDED))


def _open_games(session: Session, shop_id: int, offers: joy.Offers) -> None:
    as_of(session, now(session) - joy.PLAYS, joy.open_games, shop_id, _member(session, staff.Role.OWNER), offers)


def _go_on(session: Session, shop_id: int, ids: list[int], offers: joy.Offers) -> None:
    """What has happened of late, and what waits for somebody."""
    richest = joy.by_points(session, ids)
    joy.spend(session, richest, offers)
    joy.play(session, shop_id, richest[1])
    joy.doubt(session, richest[2], richest[9])
    # Who wrote to the desk buys nothing here: they would be told of it in the midst of their conversation.
    quiet = [each for each in richest if each not in {ids[ticket.who] for ticket in desk.TICKETS}]
    counter.close_shift(session, shop_id, _member(session, staff.Role.CASHIER), quiet[3:])
    counter.ask_for_points(session, shop_id, _member(session, staff.Role.MANAGER), ids[desk.TICKETS[1].who])


def _member(session: Session, role: staff.Role) -> int:
    name = next(name for name, each, _ in STAFF if each is role)
    return staff.find(session, name)[0].id
