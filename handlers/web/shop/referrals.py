"""Invitations: the tree of who brought whom, what was refused and why, and what both sides get."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.chat import friends
from handlers.web import site
from handlers.web.shop import fields, frame, lists
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.referrals import referral_review, referral_terms, referral_tree
from loyalty.referrals.referral_terms import Reward, RewardKind, Terms
from loyalty.referrals.referral_tree import Blocked, Sort
from loyalty.referrals.referrals import Reason
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Program
from store import audit
from store.clock import now
from store.errors import ForbiddenError, InvalidError, NotFoundError

SIDES = ("referrer", "friend")


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, {}, {})


async def _page(
    request: web.Request, typed: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said, asked = frame.frame_of(request), site.words_of(request), request.query
    listed = lists.asked(request, "/shop/referrals", Sort, Sort.FRIENDS, (), {})

    def look(session: Session) -> dict[str, Any]:
        number = asked.get("page", "1")
        of = asked.get("of", "")
        found = referral_tree.page(
            session, here.shop.id, number=int(number) if number.isdecimal() and len(number) < 7 else 1,
            of=frame.whole(of) if of else None, sort=Sort(listed.sort), descending=listed.descending,
        )  # fmt: skip
        doubts, waiting = referral_tree.queue(session, here.shop.id)
        return {
            "found": found, "of": of, "asked": listed, "sums": referral_tree.sums(session, here.shop.id), "doubts": doubts,
            "waiting": waiting, "blocked": _owed(referral_tree.blocked(session, here.shop.id)),
            "promise": friends.promise(session), "offers": _offers(session, here),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    terms: Terms = context["promise"].terms
    context |= {
        "form": _filled(said, terms) | dict(typed), "errors": errors, "reason": _reason, "state": _state,
        "blocked_words": _blocked, "sides": _sides(said), "paid": _paid,
        "mine": context["promise"].of(said, "referrer"), "theirs": context["promise"].of(said, "friend"),
    }  # fmt: skip
    return await frame.render(request, "shop/referrals.html", context, page="referrals", status=status)


def _owed(rows: Sequence[Blocked]) -> list[tuple[str, list[str]]]:
    """Whom a reward is owed, by why it can't be given."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.code, []).append(row.customer)
    return list(found.items())


def _offers(session: Session, here: Frame) -> list[Program]:
    """Voucher programmes that a side may be given."""
    moment = now(session)
    return [
        offer
        for offer in voucher_programs.of_shop(session, here.shop.id)
        if not offer.shared and (offer.ends_at is None or offer.ends_at > moment)
    ]


def _sides(said: Words) -> list[tuple[str, str]]:
    return [("referrer", said("Who brings a friend gets")), ("friend", said("The friend gets"))]


def _paid(said: Words, points: int, given: int) -> str:
    """What was paid, in words: “150 points, 2 vouchers”."""
    parts = [said.plural("{n} point", "{n} points", points)] if points or not given else []
    if given:
        parts.append(said.plural("{n} voucher", "{n} vouchers", given))
    return ", ".join(parts)


def _state(said: Words, state: str) -> tuple[str, str]:
    """A referral's badge: its class and its words."""
    return {
        "waiting": ("", said("No order yet")), "due": ("warn", said("Return period runs")),
        "rewarded": ("good", said("Rewarded")), "reversed": ("warn", said("Returned")),
    }.get(state, ("bad", said("Refused")))  # fmt: skip


def _reason(said: Words, reason: str) -> str:
    """Why a referral was refused."""
    return {
        Reason.LOOP: said("They brought this person's inviter themselves."),
        Reason.KNOWN_PHONE: said("Their phone was known before they opened the link."),
        Reason.KNOWN_ACCOUNT: said("They had written to the shop before they opened the link."),
        Reason.ORDERED_BEFORE: said("They had bought before they opened the link."),
        Reason.TOO_MANY: said("The link had already brought as many friends that day as it may."),
        Reason.SELF: said("Both are the same person."),
        Reason.TWICE: said("They had come by an earlier link."),
        Reason.STAFF: said("Somebody of the team refused it."),
    }.get(Reason(reason) if reason in set(Reason) else Reason.STAFF, reason)  # fmt: skip


def _blocked(said: Words, code: str) -> str:
    """Why a reward can't be given now, and what helps."""
    return {
        "sold_out": said("The voucher has run out or has ended. Add some, and it goes out by itself."),
        "limit_reached": said("They already have as many of this voucher as one customer may have."),
        "insufficient_points": said("The shop's wallet of points is empty."),
    }.get(code, said("The voucher can't be given now."))


def _filled(said: Words, terms: Terms) -> dict[str, str]:
    form = {"daily_limit": said.number(terms.daily_limit)}
    for side in SIDES:
        reward = terms.of(side)
        form |= {
            f"{side}_kind": reward.kind.value, f"{side}_points": said.number(reward.points),
            f"{side}_percent": said.number(reward.percent or 5), f"{side}_orders": said.number(reward.orders),
            f"{side}_program": str(reward.program_id or ""),
        }  # fmt: skip
    return form


async def save(request: web.Request) -> web.StreamResponse:
    """What both sides get; only for who owns all shops, for they share it."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    if not here.rules_all:
        raise ForbiddenError("referral terms")
    wrong: dict[str, InvalidError] = {}
    sides = {side: _read(form, side, wrong) for side in SIDES}
    limit = _number(form, "daily_limit", wrong)

    def write(session: Session) -> None:
        before = referral_terms.plain(referral_terms.current(session))
        after = referral_terms.plain(referral_terms.change(session, **sides, daily_limit=limit, actor=here.actor))
        changed = {name: [before[name], value] for name, value in after.items() if value != before[name]}
        if changed:
            audit.record(session, here.actor, "referral_terms_changed", here.shop.id, changed=changed)

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        problems = {name: _problem(said, name, found) for name, found in {**wrong, error.field: error}.items()}
        return await _page(request, form, problems, status=422)
    return await frame.done(request, "/shop/referrals", said("Saved. It counts for links opened from now on."))


def _read(form: Mapping[str, str], side: str, wrong: dict[str, InvalidError]) -> Reward:
    kind = form.get(f"{side}_kind", "")
    if kind not in set(RewardKind):
        wrong[f"{side}_kind"] = InvalidError(f"{side}_kind", "unknown", kind)
        return Reward(RewardKind.POINTS)
    if kind == RewardKind.POINTS:
        return Reward(RewardKind.POINTS, points=_number(form, f"{side}_points", wrong))
    if kind == RewardKind.PERCENT:
        percent, orders = _number(form, f"{side}_percent", wrong), _number(form, f"{side}_orders", wrong)
        return Reward(RewardKind.PERCENT, percent=percent, orders=orders)
    number = form.get(f"{side}_program", "")
    known = number.isascii() and number.isdecimal() and len(number) <= frame.NUMBER_DIGITS_MAX
    return Reward(RewardKind.VOUCHER, program_id=int(number) if known else 0)


def _number(form: Mapping[str, str], name: str, wrong: dict[str, InvalidError]) -> int:
    try:
        return fields.needed(form, name)
    except InvalidError as error:
        wrong[name] = error
        return 0


def _problem(said: Words, field: str, error: InvalidError) -> str:
    if error.problem in {"number", "empty"}:
        return said("Write a whole number, for example 30,000.")
    known = {
        "points": said("Between 0 and 1,000,000 points."), "percent": said("Between 1 and 100 per cent."),
        "orders": said("Between 1 and 100 orders."), "kind": said("Choose what they get."),
        "program": said("Choose a voucher of yours that hasn't ended."),
        "limit": said("Between 0 and 10,000 friends; 0 means any number."),
    }  # fmt: skip
    return known.get(field.rpartition("_")[2]) or site.say(said, error)


async def decide(request: web.Request) -> web.StreamResponse:
    """Allow a refused referral, or refuse it for good."""
    here, said = frame.frame_of(request), site.words_of(request)
    number, allow = frame.named(request), request.match_info["action"] == "allow"

    def write(session: Session) -> bool:
        if not referral_tree.may_see(session, here.shop.id, number):
            raise NotFoundError("referral", number)
        before = referral_review.get(session, number)
        changed = referral_review.decide(session, number, allow=allow, actor=here.actor)
        if changed:
            after = referral_review.get(session, number)
            audit.record(
                session, here.actor, "referral_allowed" if allow else "referral_refused", here.shop.id,
                referral=number, reason=before.reason, changed={"state": [before.state, after.state]},
            )  # fmt: skip
        return changed

    await site.store_of(request).write(write)
    words = said("Allowed. Both get what they were promised.") if allow else said("Refused. Nothing is paid for it.")
    return await frame.done(request, "/shop/referrals", words)
