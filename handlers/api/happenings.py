"""Happenings: what webhooks tell of. The store's events have names of their own, free to change; these here are what
other systems rely on: a kind once published keeps its name and its facts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.deliveries import PING, Told
from store.events import Happened
from store.webhooks import EVERY


@dataclass(frozen=True, slots=True)
class Kind:
    """A public kind: when it comes, and an example of its facts."""

    words: str
    data: Mapping[str, Any]


_ORDER = {"order": "HD-1042", "total": 85_000, "refunded": 0, "points": 85}
_REFERRAL = {"side": "referrer", "referrer_id": 7, "friend_id": 12, "points": 50}
KINDS: Mapping[str, Kind] = {
    "order.pending": Kind("An order came in that is not completed yet.", _ORDER | {"points": 0}),
    "order.completed": Kind(
        "An order was completed, or a completed one changed. `points`: what that changed.", _ORDER
    ),
    "order.cancelled": Kind("An order was cancelled.", _ORDER | {"points": -85}),
    "order.refunded": Kind("An order was refunded, in part or whole; `refunded`: so far.",
                           _ORDER | {"refunded": 85_000, "points": -85}),
    "order.delivered": Kind("An order reached its buyer; `at`: when.", {"order": "HD-1042", "at": "2026-11-21T14:05:00+07:00"}),
    "points.earned": Kind("A customer was given points.", {"points": 85, "order": "HD-1042", "reason": "order"}),
    "points.taken_back": Kind("A refund took points back.", {"points": 85, "order": "HD-1042", "reason": "order"}),
    "points.spent": Kind("A customer spent points.", {"points": 300, "order": None, "reason": "reward"}),
    "points.gifted": Kind("A customer's gift of points was taken by another.", {"gift": 9, "points": 50}),
    "points.adjusted": Kind("Points were given or taken by hand; signed.", {"points": -50, "reason": "Goodwill"}),
    "tier.changed": Kind("A customer rose or fell to another tier.", {"tier": "Vàng", "direction": "up"}),
    "voucher.issued": Kind("A customer was given a voucher.", {"voucher": 31, "program": 4}),
    "voucher.redeemed": Kind("A voucher was used on an order.",
                             {"voucher": 31, "program": 4, "order": "HD-1042", "discount": 30_000}),
    "voucher.returned": Kind("An order that used a voucher was undone: it can be used again.",
                             {"voucher": 31, "order": "HD-1042"}),
    "reward.bought": Kind("A customer swapped points for a reward.", {"program": 4, "points": 300}),
    "referral.opened": Kind("A new customer came by a friend's link.", {"referrer_id": 7}),
    "referral.rewarded": Kind("A referral was paid to who invited or to the friend (`side`), in points or by a voucher.", _REFERRAL),
    "referral.reversed": Kind("An order was returned, and what its referral had paid taken back.", _REFERRAL),
    "badge.earned": Kind("A customer earned a badge.", {"badge": 2}),
    "quest.done": Kind("A customer finished a quest.", {"quest": 5}),
    "prize.won": Kind("A customer won a prize: by a draw, a quest, a streak or by surprise.",
                      {"prize": 8, "cause": "draw", "points": 500}),
    "draw.opened": Kind("A lucky draw is open.", {"draw": 3}),
    "draw.closed": Kind("A lucky draw is over.", {"draw": 3}),
    "ticket.opened": Kind("A customer opened a ticket.", {"ticket": 1042, "topic": "complaint"}),
    "complaint.opened": Kind("A ticket is a complaint, of level 1 (the gravest) to 4.",
                             {"ticket": 1042, "level": 2, "repeated": False}),
    "complaint.closed": Kind("A complaint ended: `satisfied` on the customer's word, `unanswered`, or it was a `mistake`.",
                             {"ticket": 1042, "outcome": "satisfied"}),
    "ticket.resolved": Kind("A ticket was resolved.", {"ticket": 1042}),
    "ticket.late": Kind(
        "A ticket's deadline passed: for its `first` answer, the `next` one, or its `resolution`.",
        {"ticket": 1042, "deadline": "first"},
    ),
    "promise.made": Kind("Somebody promised a customer something, in a ticket.", {"promise": 12, "ticket": 1042}),
    "promise.missed": Kind("A promise's time passed before it was kept.", {"promise": 12, "ticket": 1042}),
    "promise.kept": Kind("A promise was kept, in time or late.", {"promise": 12, "ticket": 1042}),
    "promise.withdrawn": Kind("A promise needs not be kept any more.", {"promise": 12, "ticket": 1042}),
    "ticket.rated": Kind("A customer rated a resolved ticket, 1 to 5.", {"ticket": 1042, "stars": 5}),
    "customer.changed": Kind("A customer's profile or phone changed, or the phone was proven: read them again.", {}),
    "customer.merged": Kind("Two customers turned out to be one; `gone_id` is now `customer_id`.", {"gone_id": 12}),
    "journey.reached": Kind("A customer came to a step of a journey that tells you; `name` is the step's.",
                            {"journey": 6, "name": "call"}),
    "consent.given": Kind("A customer agreed to offers.", {}),
    "consent.withdrawn": Kind("A customer wants no more offers.", {}),
}  # fmt: skip
"""All that can be subscribed to. `ping` comes beside them, when somebody tries an endpoint out."""

CHOICES = (EVERY, *KINDS)

EXAMPLE: Mapping[str, Any] = {
    "id": "9041.points.earned", "type": "points.earned", "timestamp": "2026-11-21T07:05:00Z", "shop": 1,
    "customer_id": 7, "data": KINDS["points.earned"].data,
}  # fmt: skip


def told(event: Happened) -> Sequence[Told]:
    """What an event tells outside: nothing, one thing or several."""
    teller = TELLERS.get(event.kind)
    return teller(event.data) if teller is not None else ()


Data = Mapping[str, Any]
Teller = Callable[[Data], Sequence[Told]]


def _same(kind: str, *facts: str, **renamed: str) -> Teller:
    """One happening with the event's own facts, some under another name (`public="own"`)."""

    def tell(data: Data) -> Sequence[Told]:
        return [
            Told(kind, {name: data.get(name) for name in facts} | {new: data.get(old) for new, old in renamed.items()})
        ]

    return tell


def _order(kind: str) -> Teller:
    def tell(data: Data) -> Sequence[Told]:
        refunded, points = int(data.get("refunded") or 0), int(data.get("points") or 0)
        facts = {"order": data.get("order"), "total": data.get("total"), "refunded": refunded, "points": points}
        found = [Told("order.refunded" if kind == "order.completed" and refunded else kind, facts)]
        if points:
            found.append(_points("points.earned" if points > 0 else "points.taken_back", abs(points), "order", data))
        return found

    return tell


def _points(kind: str, points: int, reason: str, data: Data) -> Told:
    return Told(kind, {"points": points, "order": data.get("order"), "reason": reason})


def _tier(direction: str) -> Teller:
    return lambda data: [Told("tier.changed", {"tier": data.get("tier"), "direction": direction})]


def _reward(data: Data) -> Sequence[Told]:
    price = int(data.get("points") or 0)
    bought = Told("reward.bought", {"program": data.get("program"), "points": price})
    return [bought, *([_points("points.spent", price, "reward", data)] if price else [])]


def _referral(kind: str, moved: str) -> Teller:
    facts = _same(kind, "side", "points", referrer_id="referrer", friend_id="friend")

    def tell(data: Data) -> Sequence[Told]:
        points = int(data.get("points") or 0)
        return [*facts(data), *([_points(moved, points, "referral", data)] if points else [])]

    return tell


def _goodwill(kind: str) -> Teller:
    """Points alone: a voucher is told of as such."""
    return lambda data: [_points(kind, int(data["points"]), "goodwill", data)] if data.get("points") else []


TELLERS: Mapping[str, Teller] = {
    "order_pending": _order("order.pending"),
    "order_completed": _order("order.completed"),
    "order_cancelled": _order("order.cancelled"),
    "order_refunded": _order("order.refunded"),
    "order_delivered": _same("order.delivered", "order", "at"),
    "bonus": lambda data: [_points("points.earned", int(data.get("points") or 0), str(data.get("cause")), data)],
    "points_adjusted": _same("points.adjusted", "points", "reason"),
    "gift_taken": _same("points.gifted", "gift", "points"),
    "tier_up": _tier("up"),
    "tier_down": _tier("down"),
    "voucher_given": _same("voucher.issued", "voucher", "program"),
    "voucher_redeemed": _same("voucher.redeemed", "voucher", "program", "order", "discount"),
    "voucher_returned": _same("voucher.returned", "voucher", "order"),
    "reward_bought": _reward,
    "referral_opened": _same("referral.opened", referrer_id="referrer"),
    "referral_rewarded": _referral("referral.rewarded", "points.earned"),
    "referral_reversed": _referral("referral.reversed", "points.taken_back"),
    "badge_earned": _same("badge.earned", "badge"),
    "quest_done": _same("quest.done", "quest"),
    "prize_won": _same("prize.won", "prize", "cause", "points"),
    "draw_opened": _same("draw.opened", "draw"),
    "draw_closed": _same("draw.closed", "draw"),
    "ticket_opened": _same("ticket.opened", "ticket", "topic"),
    "complaint_opened": _same("complaint.opened", "ticket", "level", "repeated"),
    "complaint_closed": _same("complaint.closed", "ticket", outcome="state"),
    "goodwill_given": _goodwill("points.earned"),
    "goodwill_taken_back": _goodwill("points.taken_back"),
    "ticket_resolved": _same("ticket.resolved", "ticket"),
    "ticket_rated": _same("ticket.rated", "ticket", "stars"),
    "deadline_missed": _same("ticket.late", "ticket", deadline="cause"),
    "promise_made": _same("promise.made", "promise", "ticket"),
    "promise_missed": _same("promise.missed", "promise", "ticket"),
    "promise_kept": _same("promise.kept", "promise", "ticket"),
    "promise_withdrawn": _same("promise.withdrawn", "promise", "ticket"),
    "phone_changed": _same("customer.changed"),
    "phone_proven": _same("customer.changed"),
    "profile_changed": _same("customer.changed"),
    "merged": _same("customer.merged", gone_id="gone"),
    "journey_reached": _same("journey.reached", "journey", "name"),
    "offers_agreed": _same("consent.given"),
    "offers_stopped": _same("consent.withdrawn"),
}
"""What the store's events tell; one that is not named here is told to nobody outside."""

PRIVATE = frozenset({
    "badge_taken_back", "bonus_missed", "compliment", "drawn", "gift_given", "journey_step_missed",
    "journey_task", "prize_missed", "prize_taken_back", "quest_undone",
    "referral_refused", "survey_answered", "thanked", "tier_gift_missed", "voucher_gift_taken", "voucher_offered", "voucher_withdrawn",
})  # fmt: skip
"""Events that are nobody's business outside."""

assert PING not in KINDS
