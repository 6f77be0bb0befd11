"""One customer: who they are, what they have, their timeline, and points given or taken by hand with a reason."""

import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.measures import measured
from handlers.web import seen, site
from handlers.web.shop import fields, frame, lists, story
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty import programme
from loyalty.customers import customers, directory, phones
from loyalty.outreach.segments import treatment
from loyalty.points import adjustments, ledger, points
from loyalty.points.adjustments import AdjustLimitError
from loyalty.tiers import qualification, tiers
from loyalty.vouchers import vouchers
from store.errors import ConflictError, InvalidError, RuleError
from support import timeline
from support.timeline import Kind

GLANCE = 6
"""Lines of the timeline beside the list."""
KEY_CHARS_MAX = 64
ACTS = ("points", "phone", "order", "merge")


async def person(request: web.Request) -> web.StreamResponse:
    """A customer: a glance beside the list for a script, else their page."""
    return await shown(request, {}, {})


async def shown(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], *, act: str = "", status: int = 200
) -> web.Response:
    """A customer with what was typed into the form of an act, and what is wrong with it."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    glance = frame.by_script(request)
    kind = lists.choice(Kind, request.query.get("show"))
    after = request.query.get("after", "")

    def look(session: Session) -> dict[str, Any]:
        told = timeline.page(
            session, number, here.member, here.shop.id, kinds=[kind] if kind and not glance else (),
            after="" if glance else after, size=GLANCE if glance else timeline.PAGE,
        )  # fmt: skip
        return {**_person(session, here, number), "story": told, "up_to": _up_to(session, said, here)}

    context = await site.store_of(request).read(look)
    await seen.note(request, context["person"].id, here.shop.id, "console")
    standing = context["standing"]
    context |= {
        "to_next": measured(said, standing.measure, standing.to_next) if standing.next else "",
        "form": {"key": secrets.token_urlsafe(18), **form}, "errors": errors, "local": phones.local,
        "shown_code": vouchers.shown, "tell": lambda line: story.tell(said, line, alone=kind is not None), "kinds": story.kinds(said),
        "show": kind.value if kind else "", "later": bool(after), "act": act or _act(request),
    }  # fmt: skip
    if glance:
        return await frame.part(request, "shop/person_glance.html", context, status=status)
    return await frame.render(request, "shop/person.html", context, page="customers", status=status)


async def told(request: web.Request) -> web.StreamResponse:
    """The timeline alone, for a script."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    kind, after = lists.choice(Kind, request.query.get("show")), request.query.get("after", "")

    def look(session: Session) -> tuple[customers.Customer, timeline.Page]:
        owner = directory.find(session, here.shop.id, number)
        return owner, timeline.page(
            session, number, here.member, here.shop.id, kinds=[kind] if kind else (), after=after
        )

    owner, page = await site.store_of(request).read(look)
    context = {
        "person": owner, "story": page, "tell": lambda line: story.tell(said, line, alone=kind is not None), "kinds": story.kinds(said),
        "show": kind.value if kind else "", "later": bool(after),
    }  # fmt: skip
    return await frame.part(request, "shop/story.html", context)


def _act(request: web.Request) -> str:
    """Which form is open."""
    wanted = request.query.get("act", "")
    return wanted if wanted in ACTS else ""


def _person(session: Session, here: Frame, customer_id: int) -> dict[str, Any]:
    found = directory.find(session, here.shop.id, customer_id)
    wallet = points.wallet(session, found.id, here.shop.timezone)
    ladder = tiers.every(session)
    standing = qualification.of(session, found.id)
    return {
        "person": found, "wallet": wallet, "standing": standing, "rank": ladder.index(standing.tier),
        "progress": standing.progress,
        "vouchers": vouchers.wallet(session, found.id, shop_id=here.shop.id),
        "bought": directory.bought_by(session, here.shop.id, found.id),
        "treated": treatment.of(session, found.id, here.shop.id),
        "reaches": [
            (identity.account.partition(":")[0], identity.reachable)
            for identity in customers.identities_of(session, found.id)
        ],
    }  # fmt: skip


def _up_to(session: Session, said: Words, here: Frame) -> str:
    """How many points the one who is here gives or takes by themselves; nothing where it is any number."""
    limit = adjustments.limit_of(session, here.member, here.shop.id)
    if limit >= programme.UNLIMITED:
        return ""
    if programme.get(session).second_approval:
        return said("Up to {n} at once; more waits for a second person.", n=said.number(limit))
    return said("Up to {n} at once.", n=said.number(limit))


async def adjust(request: web.Request) -> web.StreamResponse:
    """Give or take points by hand. The form's key makes a second tap change nothing."""
    said, here, form = site.words_of(request), frame.frame_of(request), await fields.read(request)
    try:
        given = fields.needed(form, "points")
        asked = await site.store_of(request).write(
            _adjust, here, frame.named(request), given, form.get("reason", ""), key_of(form)
        )
    except (InvalidError, ledger.UncoveredError, AdjustLimitError) as error:
        errors = {error.field if isinstance(error, InvalidError) else "points": _refusal(said, error)}
        return await shown(request, form, errors, act="points", status=422)
    except ConflictError:
        # The same form came with other numbers: a new form, and nothing done twice.
        kept = {name: form.get(name, "") for name in ("points", "reason")}
        wrong = {"points": said("Please check once more and send it again.")}
        return await shown(request, kept, wrong, act="points", status=422)
    if asked.state == adjustments.State.WAITING:
        words = said("{points} points: this waits for a second person.", points=said.signed(given))
    else:
        words = said("{points} points, done.", points=said.signed(given))
    if frame.by_script(request):
        return frame.told(await shown(request, {}, {}), words)
    return await frame.done(request, f"/shop/customers/{frame.named(request)}", words)


def key_of(form: Mapping[str, str]) -> str:
    """What tells this form from others; one that comes without gets its own."""
    return f"console:{form.get('key', '')[:KEY_CHARS_MAX] or secrets.token_urlsafe(18)}"


def _adjust(
    session: Session, here: Frame, customer_id: int, given: int, reason: str, key: str
) -> adjustments.Adjustment:
    owner = directory.find(session, here.shop.id, customer_id).id
    return adjustments.ask(
        session, key, staff_id=here.member.id, shop_id=here.shop.id, customer_id=owner, points=given, reason=reason
    )


def _refusal(said: Words, error: RuleError) -> str:
    if isinstance(error, ledger.UncoveredError):
        return said("They only have {n} points.", n=said.number(max(0, error.available)))
    if isinstance(error, AdjustLimitError):
        return said("You may give or take up to {n} points at once.", n=said.number(error.limit))
    assert isinstance(error, InvalidError)
    return {
        ("points", "empty"): said("How many points?"),
        ("points", "number"): said("Write a whole number, for example 50 or -20."),
        ("points", "range"): said("Write a number other than 0, up to a billion."),
        ("reason", "length"): said("Write the reason in a few words: the customer may ask about it."),
    }.get((error.field, error.problem)) or site.say(said, error)
