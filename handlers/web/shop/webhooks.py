"""Webhooks: which other systems are told what happens at the shop, whether it reached them, and having it told again."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.api.happenings import KINDS
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.words import Words
from store import audit, deliveries, webhooks
from store.deliveries import Delivery, State
from store.errors import ConflictError, InvalidError
from store.webhooks import EVERY, Endpoint, Off

PAGE = 30
PLACE = "/shop/webhooks"


async def page(request: web.Request) -> web.StreamResponse:
    return await _form(request, {}, {})


async def _form(
    request: web.Request, typed: Mapping[str, object], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> tuple[list[Endpoint], dict[int, dict[str, int]]]:
        every = webhooks.of_shop(session, here.shop.id)
        return every, deliveries.counts(session, [one.id for one in every])

    every, counts = await site.store_of(request).read(look)
    context = {
        "endpoints": every, "counts": counts, "kinds": _groups(said), "named": named(said), "errors": errors,
        "form": {"url": "", "note": "", "all": "", "chosen": set(), **typed}, "why": _why(said),
    }  # fmt: skip
    return await frame.render(request, "shop/webhooks.html", context, page="setup", status=status)


async def add(request: web.Request) -> web.StreamResponse:
    """Register an address; its secret is shown once."""
    here, said = frame.frame_of(request), site.words_of(request)
    posted = await request.post()
    form = await fields.read(request)
    chosen = [str(kind) for kind in posted.getall("kind", [])]
    kinds = [EVERY] if form.get("all") else [kind for kind in KINDS if kind in chosen]
    installation, secret = request.config_dict[site.SITE], webhooks.new_secret()

    def write(session: Session) -> Endpoint:
        made = webhooks.add(
            session, here.shop.id, form.get("url", ""), kinds, installation.seal.close(secret),
            note=form.get("note", ""), private=installation.private_webhooks,
        )  # fmt: skip
        audit.record(
            session, here.actor, "webhook_added", here.shop.id, webhook=made.id, url=made.url, kinds=made.kinds
        )
        return made

    try:
        made = await site.store_of(request).write(write)
    except (InvalidError, ConflictError) as error:
        return await _form(request, {**form, "chosen": set(kinds)}, _problem(said, error), status=422)
    words = said("Here is the secret that its posts are signed with. Copy it now: it is shown only this once.")
    return await frame.done(request, f"{PLACE}/{made.id}", words, {"secret": secret})


async def one(request: web.Request) -> web.StreamResponse:
    """An endpoint and what it was told."""
    here, said, endpoint_id = frame.frame_of(request), site.words_of(request), frame.named(request)
    asked = request.query.get("state", "")
    state = State(asked) if asked in set(State) else None
    before = request.query.get("before", "")
    earlier = frame.whole(before) if before else None

    def look(session: Session) -> tuple[Endpoint, list[Delivery], dict[str, int]]:
        endpoint = webhooks.get(session, endpoint_id, here.shop.id)
        found = deliveries.page(session, endpoint_id, PAGE + 1, before=earlier, state=state)
        return endpoint, found, deliveries.counts(session, [endpoint_id])[endpoint_id]

    endpoint, found, counts = await site.store_of(request).read(look)
    context = {
        "endpoint": endpoint, "moment": site.store_of(request).clock.now(), "deliveries": found[:PAGE], "counts": counts, "state": asked if state else "",
        "older": found[PAGE - 1].id if len(found) > PAGE else None, "first": earlier is None, "kinds": _groups(said),
        "named": named(said), "why": _why(said), "trouble": _trouble(said), "pretty": _pretty,
    }  # fmt: skip
    return await frame.render(request, "shop/webhook.html", context, page="setup")


async def change(request: web.Request) -> web.StreamResponse:
    """Choose other kinds, or another note."""
    here, said, endpoint_id = frame.frame_of(request), site.words_of(request), frame.named(request)
    posted = await request.post()
    chosen = {str(kind) for kind in posted.getall("kind", [])}
    kinds = [EVERY] if posted.get("all") else [kind for kind in KINDS if kind in chosen]

    def write(session: Session) -> None:
        _audited(session, here, *webhooks.change(session, endpoint_id, here.shop.id, kinds=kinds))

    try:
        await site.store_of(request).write(write)
    except InvalidError:
        return await frame.done(request, f"{PLACE}/{endpoint_id}", said("Choose at least one thing to tell."))
    return await frame.done(request, f"{PLACE}/{endpoint_id}", said("Saved."))


async def act(request: web.Request) -> web.StreamResponse:
    """Switch on or off, try out, replace the secret, post again what was never taken, remove."""
    here, said, endpoint_id = frame.frame_of(request), site.words_of(request), frame.named(request)
    store, action = site.store_of(request), request.match_info["action"]
    back = f"{PLACE}/{endpoint_id}"
    if action == "ping":
        await store.write(deliveries.ping, endpoint_id, here.shop.id, f"ping.{secrets.token_hex(8)}")
        return await frame.done(
            request, back, said("A test is on its way. Reload the page to see whether it was taken.")
        )
    if action == "replay":
        count = await store.write(deliveries.replay_dead, endpoint_id, here.shop.id)
        words = said.plural("{n} message is sent again.", "{n} messages are sent again.", count)
        return await frame.done(request, back, words)
    if action == "secret":
        secret = webhooks.new_secret()
        sealed = request.config_dict[site.SITE].seal.close(secret)

        def renew(session: Session) -> None:
            webhooks.renew(session, endpoint_id, here.shop.id, sealed)
            audit.record(session, here.actor, "webhook_secret", here.shop.id, webhook=endpoint_id)

        await store.write(renew)
        words = said(
            "Here is the new secret. Copy it now: it is shown only this once. For a day the old one signs too."
        )
        return await frame.done(request, back, words, {"secret": secret})
    if action == "remove":

        def forget(session: Session) -> None:
            gone = webhooks.remove(session, endpoint_id, here.shop.id)
            audit.record(session, here.actor, "webhook_removed", here.shop.id, webhook=gone.id, url=gone.url)

        await store.write(forget)
        return await frame.done(request, PLACE, said("The address is told nothing any more."))
    on = action == "on"

    def switch(session: Session) -> None:
        _audited(session, here, *webhooks.change(session, endpoint_id, here.shop.id, on=on))

    await store.write(switch)
    words = (
        said("It is told again, beginning with what waited.")
        if on
        else said("It is told nothing until you switch it on.")
    )
    return await frame.done(request, back, words)


async def replay(request: web.Request) -> web.StreamResponse:
    """Post one delivery again."""
    here, said = frame.frame_of(request), site.words_of(request)
    again = await site.store_of(request).write(deliveries.replay, frame.named(request), here.shop.id)
    return await frame.done(request, f"{PLACE}/{again.endpoint_id}", said("It is sent again now."))


def _audited(session: Session, here: frame.Frame, before: Endpoint, after: Endpoint) -> None:
    was, now = asdict(before), asdict(after)
    changed = {name: [was[name], now[name]] for name in ("url", "kinds", "note", "off") if was[name] != now[name]}
    if changed:
        audit.record(session, here.actor, "webhook_changed", here.shop.id, webhook=after.id, changed=changed)


def _problem(said: Words, error: InvalidError | ConflictError) -> dict[str, str]:
    if isinstance(error, ConflictError):
        return {"url": said("A shop has {n} addresses at most. Remove one first.", n=webhooks.ENDPOINTS_MAX)}
    known = {
        "https": said("The address has to begin with https://."),
        "private": said("This address lies inside a private network. Give one that can be reached from the Internet."),
        "format": said("This isn't an address we can call. Example: https://pos.example/regulars."),
        "missing": said("Choose at least one thing to tell."),
        "length": said("Please keep it below 80 letters."),
    }
    return {error.field: known.get(error.problem) or site.say(said, error)}


def named(said: Words) -> dict[str, str]:
    """What kinds are called in the console."""
    return {
        EVERY: said("Every kind"), "ping": said("Test"),
        "order.pending": said("Order came in"), "order.completed": said("Order completed"),
        "order.cancelled": said("Order cancelled"), "order.refunded": said("Order refunded"), "order.delivered": said("Order delivered"),
        "points.earned": said("Points earned"), "points.taken_back": said("Points taken back"),
        "points.spent": said("Points spent"), "tier.changed": said("Tier changed"),
        "voucher.issued": said("Voucher given"), "voucher.redeemed": said("Voucher used"),
        "voucher.returned": said("Voucher given back"), "reward.bought": said("Points swapped for a reward"),
        "referral.opened": said("Friend came by an invitation"), "referral.rewarded": said("Invitation rewarded"),
        "referral.reversed": said("Invitation's reward taken back"),
        "points.gifted": said("Points given to a friend"), "points.adjusted": said("Points changed by hand"),
        "badge.earned": said("Badge earned"), "quest.done": said("Quest done"), "prize.won": said("Prize won"),
        "draw.opened": said("Lucky draw opened"), "draw.closed": said("Lucky draw over"),
        "customer.changed": said("Customer's details changed"),
        "complaint.opened": said("Complaint opened"), "complaint.closed": said("Complaint closed"),
        "ticket.opened": said("Ticket opened"), "ticket.resolved": said("Ticket resolved"),
        "ticket.rated": said("Ticket rated"), "customer.merged": said("Customers merged"),
        "ticket.late": said("Ticket is late"), "promise.made": said("Promise made"), "promise.kept": said("Promise kept"),
        "promise.missed": said("Promise missed"), "promise.withdrawn": said("Promise withdrawn"),
        "consent.given": said("Agreed to offers"), "consent.withdrawn": said("Stopped offers"),
        "journey.reached": said("Step of a journey reached"),
    }  # fmt: skip


def _groups(said: Words) -> list[tuple[str, list[str]]]:
    """The kinds, under headings."""
    heads = {
        "order": said("Orders"), "points": said("Points and tiers"), "tier": said("Points and tiers"),
        "voucher": said("Vouchers and rewards"), "reward": said("Vouchers and rewards"),
        "referral": said("Invitations"), "ticket": said("Requests"), "complaint": said("Requests"), "badge": said("Games"), "quest": said("Games"), "prize": said("Games"),
        "draw": said("Games"), "customer": said("Customers"),
        "consent": said("Customers"),
    }  # fmt: skip
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        found.setdefault(heads.get(kind.partition(".")[0], said("More")), []).append(kind)
    return list(found.items())


def _why(said: Words) -> dict[str, str]:
    return {
        Off.BY_HAND: said("Switched off"), Off.FAILING: said("Switched off: nothing reached it for a day"),
        Off.GONE: said("Switched off: it said that it is gone (410)"),
    }  # fmt: skip


def _trouble(said: Words) -> dict[str, str]:
    """Why no good answer came."""
    return {
        "timeout": said("no answer within 10 seconds"), "no_connection": said("nobody answers there"),
        "no_such_host": said("there is no such server"), "certificate": said("its certificate isn't valid"),
        "cut_off": said("the connection broke"), "redirect": said("it points elsewhere; that isn't followed"),
        "private_address": said("it leads into a private network"), "https": said("the address isn't https"),
        "format": said("the address can't be called"),
        "secret_unreadable": said("its secret can't be read any more: make a new one"),
    }  # fmt: skip


def _pretty(body: str) -> str:
    return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
