"""Shops, staff and keys: who may do what, and the links that let them in."""

from bot.commands.opening import refuse, say, shop_named, show, with_store
from bot.links import login_link, start_link
from bot.settings import Settings
from loyalty import programme
from store import audit, shops, staff
from store.engine import Store
from store.staff import Member, Role
from support.routing import presence


def add_shop(name: str) -> None:
    """Open a shop with a new one's defaults."""

    async def work(settings: Settings, store: Store) -> None:
        shop_id = await store.write(programme.open_shop, name, timezone=settings.timezone, language=settings.language)
        shop = await store.read(shops.get, shop_id)
        await store.write(lambda session: audit.record(session, "cli", "shop.add", shop_id))
        show(f"{shop.name}: shop {shop.id} ({shop.slug})")

    with_store(work)


def add_staff(name: str, role: str, shop: str | None) -> None:
    """Add a member of staff; print their login link and their start link."""
    if role not in set(Role):
        refuse(f"there is no role {role!r}: take one of {', '.join(Role)}")

    async def work(settings: Settings, store: Store) -> None:
        shop_id = await shop_named(store, shop) if shop is not None else None
        staff_id = await store.write(staff.add, name, Role(role), shop_id, settings.language)
        login = await store.write(staff.make_link, staff_id, "login")
        bind = await store.write(staff.make_link, staff_id, "bind")
        await store.write(lambda session: audit.record(session, "cli", "staff.add", shop_id, staff=staff_id, role=role))
        show(login_link(settings, login))
        show(await start_link(settings, store, f"s_{bind}"))

    with_store(work)


def remove_staff(name: str) -> None:
    """Take a member of staff out, by name or number; their sessions end."""

    async def work(_settings: Settings, store: Store) -> None:
        found = await store.read(staff.find, name)
        if not found:
            every = ", ".join(member.name for member in await store.read(staff.every))
            refuse(f"nobody on the staff is called {name!r}" + (f": there are {every}" if every else ""))
        if len(found) > 1:
            refuse(f"several are called {name!r}, use the number: {', '.join(map(_described, found))}")
        member = found[0]
        await store.write(staff.remove, member.id)
        await store.write(presence.gone, member.id)
        await store.write(lambda session: audit.record(session, "cli", "staff.remove", staff=member.id))
        say(f"{member.name} is no longer on the staff; their sessions have ended")

    with_store(work)


def create_key(shop: str) -> None:
    """Make an API key of a shop; print it, this once."""

    async def work(_settings: Settings, store: Store) -> None:
        shop_id = await shop_named(store, shop)
        key = await store.write(staff.add_api_key, shop_id)
        await store.write(lambda session: audit.record(session, "cli", "apikey.create", shop_id))
        show(key)

    with_store(work)


def _described(member: Member) -> str:
    roles = "/".join(sorted({role.value for role, _ in member.roles}))
    return f"{member.id} ({roles})"
