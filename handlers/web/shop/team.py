"""The team: who works here in which role, how they come in; and the keys of the shop's other systems."""

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame, lists
from handlers.web.shop.frame import Frame
from handlers.words import Words
from store import audit, shops, staff
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.staff import Key, Member, Right, Role
from store.text import fold
from support.routing import presence

EVERYWHERE = "all"


class Sort(StrEnum):
    NAME = "name"
    ROLE = "role"


@dataclass(frozen=True, slots=True)
class Shown:
    """A colleague in the list; `mine`: whether the reader may remove them or hand them a link."""

    member: Member
    roles: list[str]
    mine: bool
    me: bool


async def page(request: web.Request) -> web.StreamResponse:
    return await _form(request, {}, {})


async def _form(request: web.Request, form: dict[str, str], errors: dict[str, str], status: int = 200) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> tuple[list[Shown], list[Key]]:
        names = {shop.id: shop.name for shop in shops.every(session)}
        return [_shown(said, here, member, names) for member in _colleagues(session, here)], staff.api_keys(
            session, here.shop.id
        )

    team, keys = await site.store_of(request).read(look)
    asked = lists.asked(request, "/shop/team", Sort, Sort.NAME, set(Sort), {})
    by_role = asked.sort == Sort.ROLE
    context = {
        "found": lists.arrange(
            team, asked, lambda one: (_rank(one.member) if by_role else 0, fold(one.member.name)), lambda one: one.member.id
        ),
        "asked": asked, "keys": keys, "errors": errors,
        "form": {"name": "", "role": Role.AGENT.value, "at": str(here.shop.id), "language": "vi", "key_name": "", **form},
        "roles": [(role.value, site.role_name(said, role), words) for role, words in _duties(said).items()],
        "places": [shop for shop in here.shops if here.member.may(Right.STAFF, shop.id)],
        "everywhere": here.member.everywhere(Right.STAFF),
    }  # fmt: skip
    return await frame.render(request, "shop/team.html", context, page="team", status=status)


def _rank(member: Member) -> int:
    """The place of somebody's first role, the owner's the highest."""
    return min(list(Role).index(role) for role, _ in member.roles)


def _colleagues(session: Session, here: Frame) -> list[Member]:
    """Who has a role at this shop, or at every shop."""
    return [member for member in staff.every(session) if any(at in {None, here.shop.id} for _, at in member.roles)]


def _shown(said: Words, here: Frame, member: Member, names: dict[int, str]) -> Shown:
    roles = [
        f"{site.role_name(said, role)} · {said('every shop') if at is None else names[at]}"
        for role, at in member.roles
        if at is None or here.member.may(Right.CONSOLE, at)
    ]
    return Shown(member, roles, here.member.above(member), member.id == here.member.id)


def _duties(said: Words) -> dict[Role, str]:
    return {
        Role.AGENT: said("answers customers"), Role.SUPERVISOR: said("answers customers and shares out their requests"),
        Role.CASHIER: said("works at the till"), Role.MANAGER: said("runs offers, the till and the desk"),
        Role.OWNER: said("may do everything, people and keys included"),
    }  # fmt: skip


async def add(request: web.Request) -> web.StreamResponse:
    """Take somebody on: their page opens by the link that is shown once."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    try:
        member_id, login, bind = await site.store_of(request).write(_add, here, form)
    except InvalidError as error:
        words = {
            "name": said("A name has between 1 and 80 letters."), "role": said("Choose what they do."),
            "at": said("Choose where they work."), "language": said("Choose their language."),
        }  # fmt: skip
        return await _form(request, form, {error.field: words.get(error.field) or site.say(said, error)}, status=422)
    name = (await site.store_of(request).read(staff.get, member_id)).name
    words_done = said("{name} is in the team. Send them these links: each works once, for 24 hours.", name=name)
    return await frame.done(request, "/shop/team", words_done, _links(request, login, bind))


def _add(session: Session, here: Frame, form: dict[str, str]) -> tuple[int, str, str]:
    if form.get("role") not in set(Role):
        raise InvalidError("role", "unknown", form.get("role"))
    if form.get("language", "vi") not in {"vi", "en"}:
        raise InvalidError("language", "unknown", form.get("language"))
    at = form.get("at", "")
    if at == EVERYWHERE:
        shop_id = None
        if not here.member.everywhere(Right.STAFF):
            raise ForbiddenError(Right.STAFF)
    else:
        if not (at.isascii() and at.isdecimal() and len(at) < 16):
            raise InvalidError("at", "unknown", at)
        shop_id = int(at)
        here.member.need(Right.STAFF, shop_id)
        shops.get(session, shop_id)
    role = Role(form["role"])
    member_id = staff.add(session, form.get("name", ""), role, shop_id, form.get("language", "vi"))
    audit.record(session, here.actor, "staff_added", shop_id, staff=member_id, role=role.value)
    return member_id, *_make_links(session, member_id)


def _make_links(session: Session, member_id: int) -> tuple[str, str]:
    return staff.make_link(session, member_id, "login"), staff.make_link(session, member_id, "bind")


def _links(request: web.Request, login: str, bind: str) -> dict[str, str]:
    """The one-time addresses by what they are for."""
    found = request.config_dict[site.SITE]
    shown = {"login": f"{found.public_url}/login/{login}"}
    # A member of staff is bound to a messenger of their own; in the web chat there is nothing to bind.
    chats = [link for name, link in found.links(f"s_{bind}") if name != "web"] or [
        link for _, link in found.links(f"s_{bind}")
    ]
    return shown | {"start": chats[0]} if chats else shown


async def link(request: web.Request) -> web.StreamResponse:
    """New links for a colleague who lost theirs or has a new device."""
    here, said, member_id = frame.frame_of(request), site.words_of(request), frame.named(request)

    def write(session: Session) -> tuple[str, str, str]:
        other = _colleague(session, here, member_id)
        audit.record(session, here.actor, "staff_link", here.shop.id, staff=member_id)
        return other.name, *_make_links(session, member_id)

    name, login, bind = await site.store_of(request).write(write)
    words = said("New links for {name}: each works once, for 24 hours.", name=name)
    return await frame.done(request, "/shop/team", words, _links(request, login, bind))


async def remove(request: web.Request) -> web.StreamResponse:
    here, said, member_id = frame.frame_of(request), site.words_of(request), frame.named(request)

    def write(session: Session) -> str:
        other = _colleague(session, here, member_id)
        if other.id == here.member.id:
            raise ForbiddenError("oneself")
        staff.remove(session, member_id)
        presence.gone(session, member_id)
        audit.record(session, here.actor, "staff_removed", here.shop.id, staff=member_id)
        return other.name

    name = await site.store_of(request).write(write)
    return await frame.done(
        request, "/shop/team", said("{name} is signed out everywhere and can't come in any more.", name=name)
    )


def _colleague(session: Session, here: Frame, member_id: int) -> Member:
    """A colleague at this shop whom the reader may manage. Raises NotFoundError, ForbiddenError."""
    other = staff.get(session, member_id)
    if not any(at in {None, here.shop.id} for _, at in other.roles):
        raise NotFoundError("staff", member_id)
    if not here.member.above(other):
        raise ForbiddenError(Right.STAFF)
    return other


async def add_key(request: web.Request) -> web.StreamResponse:
    """A key for another system of the shop, shown this once."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)

    def write(session: Session) -> str:
        if not form.get("key_name"):
            raise InvalidError("name", "length")
        made = staff.add_api_key(session, here.shop.id, form["key_name"])
        audit.record(session, here.actor, "api_key_added", here.shop.id, name=form["key_name"])
        return made

    try:
        made = await site.store_of(request).write(write)
    except InvalidError:
        return await _form(
            request, form, {"key_name": said("Write what the key is for, in 1 to 80 letters.")}, status=422
        )
    words = said("Here is the key. Copy it now: it is shown only this once.")
    return await frame.done(request, "/shop/team", words, {"key": made})


async def revoke_key(request: web.Request) -> web.StreamResponse:
    here, said, key_id = frame.frame_of(request), site.words_of(request), frame.named(request)

    def write(session: Session) -> None:
        staff.revoke_api_key(session, key_id, here.shop.id)
        audit.record(session, here.actor, "api_key_revoked", here.shop.id, key=key_id)

    await site.store_of(request).write(write)
    return await frame.done(request, "/shop/team", said("The key works no longer."))
