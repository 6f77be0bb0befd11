"""Notices in words: what a kind of notice says to a person, with its buttons and pictures. How and when is the bot's."""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from handlers import tier_words
from handlers.chat import (
    care_news,
    cheers,
    complaint_notices,
    deadline_news,
    point_notices,
    privacy,
    staff_news,
    voucher_news,
    weekly,
)
from handlers.chat.commands import go
from handlers.chat.rating import rating_buttons
from handlers.chat.told import Change, Params, Told
from handlers.chat.voice import Voice
from handlers.measures import measured
from loyalty.customers import addressing
from loyalty.tiers.tier_rule import Measure


def render(kind: str, voice: Voice, params: Params) -> Told | None:
    """What to say for a notice; None for a kind that has no words for a messenger."""
    say = KINDS.get(kind)
    return say(voice, params) if say else None


# ── Points and tiers ────────────────────────────────────────────────────────────────────────────────


def _points_earned(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "<b>+{points} points</b> for order {order} at {shop}. Thank you!", **_only(params, "points", "order", "shop")
    )
    if params.get("pending"):
        text += " " + voice.say("They will be yours after the return period.")
    return Told(text, go(voice.words, "points", "rewards"))


def _points_taken_back(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "<b>−{points} points</b>: order {order} was returned or changed.", **_only(params, "points", "order")
        ),
        go(voice.words, "points"),
    )


def _points_spent(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "You paid {value} with <b>{points} points</b> at {shop}. You have {balance} points left.",
            value=voice.words.money(int(params.get("value", 0))), **_only(params, "points", "shop", "balance"),
        ),
        go(voice.words, "points"),
    )  # fmt: skip


def _sale_undone(voice: Voice, params: Params) -> Told:
    said = [
        voice.say(
            "Order {order} at {shop} ({amount}) was taken back at the counter.",
            amount=voice.words.money(int(params.get("amount", 0))), **_only(params, "order", "shop"),
        )
    ]  # fmt: skip
    if params.get("points_taken"):
        said.append(voice.say("<b>−{points} points</b> that it had brought.", points=params["points_taken"]))
    if params.get("points_back"):
        said.append(voice.say("<b>+{points} points</b> that had paid for it are back.", points=params["points_back"]))
    back = int(params.get("vouchers_back", 0))
    if back == 1:
        said.append(voice.say("Your voucher can be used again."))
    elif back:
        said.append(voice.say("Your {n} vouchers can be used again.", n=back))
    return Told("\n".join(said), go(voice.words, "points"))


def _tier_up(voice: Voice, params: Params) -> Told:
    text = voice.say("Congratulations! You have reached tier <b>{tier}</b>. 🎉", tier=str(params["tier"]))
    if lines := tier_words.brings(voice.say, voice.words, params):
        text += "\n" + "\n".join(f"• {line}" for line in lines)
    files = [{"kind": "photo", "sha": params["card"], "name": "card.png"}] if params.get("card") else []
    return Told(text, go(voice.words, *(["card", "vouchers"] if params.get("gift_voucher") else ["card"])), files)


def _tier_down(voice: Voice, params: Params) -> Told:
    text = voice.say("Your tier is <b>{tier}</b> from now on.", tier=str(params["tier"]))
    if params.get("next"):
        missing = measured(voice.words, Measure(params.get("measure") or "tier_points"), int(params.get("missing", 0)))
        text += " " + voice.say("{amount} more and you are back on <b>{next}</b>.", amount=missing, next=params["next"])
    return Told(text, go(voice.words, "points"))


def _tier_at_risk(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "{amount} more by {day} and you stay on <b>{tier}</b>.", tier=str(params["tier"]),
            amount=measured(voice.words, Measure(params.get("measure") or "tier_points"), int(params["missing"])),
            day=voice.words.date(date.fromisoformat(params["last_day"])),
        ),
        go(voice.words, "points", "card"),
    )  # fmt: skip


def _phone_confirmed(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "The counter at {shop} has confirmed your number {phone}.", **_only(params, "shop", "phone")
    )  # fmt: skip
    if params.get("points"):
        text += " " + voice.say(
            "<b>{points} points</b> from earlier purchases are yours now. 🎉", points=params["points"]
        )
    return Told(text, go(voice.words, "points", "card"))


def _phone_changed(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "{shop} has changed your phone number to {phone}. If you didn't ask for this, write to us with /support.",
            **_only(params, "shop", "phone"),
        ),
        go(voice.words, "support"),
    )


# ── Friends and gifts ───────────────────────────────────────────────────────────────────────────────


def _referral_referrer(voice: Voice, params: Params) -> Told:
    friend = addressing.given_name(str(params.get("friend") or ""), voice.language)
    points = params["points"]
    if params.get("voucher"):
        head = (
            voice.say("Your friend {friend} has placed a first order. Thank you!", friend=friend)
            if friend
            else voice.say("A friend of yours has placed a first order. Thank you!")
        )
        return Told(f"{head}\n{_gift(voice, params)}", go(voice.words, "vouchers", "invite"))
    if params.get("again"):
        text = (
            voice.say("Your friend {friend} has bought again: <b>+{points} points</b> for you.", friend=friend, points=points)
            if friend
            else voice.say("A friend of yours has bought again: <b>+{points} points</b> for you.", points=points)
        )  # fmt: skip
    elif friend:
        text = voice.say(
            "Your friend {friend} has placed a first order: <b>+{points} points</b> for you. Thank you!",
            friend=friend, points=points,
        )  # fmt: skip
    else:
        text = voice.say(
            "A friend of yours has placed a first order: <b>+{points} points</b> for you. Thank you!", points=points
        )
    return Told(text, go(voice.words, "points", "invite"))


def _referral_friend(voice: Voice, params: Params) -> Told:
    if params.get("voucher"):
        head = voice.say("Your welcome gift for coming by a friend's invitation. 🎁")
        return Told(f"{head}\n{_gift(voice, params)}", go(voice.words, "vouchers"))
    return Told(
        voice.say(
            "<b>+{points} points</b>: your welcome gift for coming by a friend's invitation. 🎁",
            points=params["points"],
        ),
        go(voice.words, "points", "rewards"),
    )


def _gift(voice: Voice, params: Params) -> str:
    """The voucher of a reward: name, code and last day."""
    return _voucher_given(voice, {"program": params["voucher"], **_only(params, "code", "last_day")}).text


def _referral_taken_back(voice: Voice, params: Params) -> Told:
    own, voucher, points = params.get("side") == "friend", params.get("voucher"), params["points"]
    if params.get("refused") and voucher:
        text = voice.say(
            "The voucher <b>{name}</b> is gone: the invitation it came from doesn't count. Ask us if you wonder why.",
            name=str(voucher),
        )
    elif params.get("refused"):
        text = voice.say(
            "<b>−{points} points</b>: the invitation they came from doesn't count. Ask us if you wonder why.",
            points=points,
        )
    elif voucher and own:
        text = voice.say("Your order was returned, so the voucher <b>{name}</b> for it is gone too.", name=str(voucher))
    elif voucher:
        text = voice.say(
            "A friend's order was returned, so the voucher <b>{name}</b> for it is gone too.", name=str(voucher)
        )
    elif own:
        text = voice.say("<b>−{points} points</b>: your order was returned, so its welcome gift is too.", points=points)
    else:
        text = voice.say("<b>−{points} points</b>: a friend's order was returned or changed.", points=points)
    return Told(text, go(voice.words, "points", "invite"))


def _referral_allowed(voice: Voice, params: Params) -> Told:  # noqa: ARG001  # every kind is called alike
    return Told(
        voice.say("Your friend's invitation counts. See /points for what you have, and thank you for coming!"),
        go(voice.words, "points"),
    )


def _voucher_given(voice: Voice, params: Params) -> Told:
    text = voice.say("A voucher for you: <b>{program}</b>.", program=str(params["program"]))
    text += f"\n<code>{params['code']}</code>"
    if params.get("last_day"):
        text += "\n" + voice.say("Valid until {day}.", day=voice.words.date(date.fromisoformat(params["last_day"])))
    return Told(text, go(voice.words, "vouchers"))


# ── Help ────────────────────────────────────────────────────────────────────────────────────────────


def _ticket_reply(voice: Voice, params: Params) -> Told:  # noqa: ARG001  # every kind is called alike
    """The agent's own words, as they are."""
    return Told(
        str(params.get("text") or ""), files=list(params.get("files") or []), plain=True,
        quotes=list(params.get("quotes") or []),
    )  # fmt: skip


def _ticket_edit(_voice: Voice, params: Params) -> Told:
    """New words in the place of the old ones, as the agent wrote them."""
    text = str(params["text"])
    return _changed(
        params,
        lambda part: (
            ("editMessageText", {"text": text}) if part == "text" else ("editMessageCaption", {"caption": text})
        ),
    )


def _ticket_delete(_voice: Voice, params: Params) -> Told:
    return _changed(params, lambda _part: ("deleteMessage", {}))


def _ticket_reaction(_voice: Voice, params: Params) -> Told:
    emoji = [{"type": "emoji", "emoji": params["emoji"]}] if params["emoji"] else []
    return _changed(params, lambda _part: ("setMessageReaction", {"reaction": emoji}))


def _changed(params: Params, call: Callable[[str], tuple[str, Params]]) -> Told:
    return Told(
        "",
        changes=[Change(at["account"], at["chat"], at["message"], *call(at["part"])) for at in params["places"]],
    )


def _ticket_resolved(voice: Voice, params: Params) -> Told:
    number = int(params["ticket"])
    if not params.get("ask_rating", True):
        return Told(
            voice.say(
                "Request <b>#{number}</b> is resolved. If something is missing, just write here.", number=str(number)
            )
        )
    return Told(
        voice.say(
            "Request <b>#{number}</b> is resolved. How was our help? If something is missing, just write here.",
            number=str(number),
        ),
        rating_buttons(number),
    )


def _shop_closed(voice: Voice, params: Params) -> Told:
    zone = ZoneInfo(str(params["zone"]))
    opens, asked = (datetime.fromisoformat(params[name]).astimezone(zone) for name in ("opens_at", "asked_at"))
    at, days = f"{opens.hour}:{opens.minute:02}", (opens.date() - asked.date()).days
    if days == 0:
        when = voice.say("today at {time}", time=at)
    elif days == 1:
        when = voice.say("tomorrow at {time}", time=at)
    else:
        when = voice.say("at {time} on {day}", time=at, day=voice.words.day(opens.date()))
    return Told(voice.say("We are closed at the moment and back {when}. We will answer you then.", when=when))


def _only(params: Params, *names: str) -> Params:
    return {name: params.get(name, "") for name in names}


KINDS: dict[str, Callable[[Voice, Params], Told]] = {
    "shop_closed": _shop_closed,
    "points_earned": _points_earned,
    "points_taken_back": _points_taken_back,
    "points_spent": _points_spent,
    "sale_undone": _sale_undone,
    "tier_up": _tier_up,
    "tier_down": _tier_down,
    "tier_at_risk": _tier_at_risk,
    "phone_confirmed": _phone_confirmed,
    "phone_changed": _phone_changed,
    "referral_referrer": _referral_referrer,
    "referral_friend": _referral_friend,
    "referral_taken_back": _referral_taken_back,
    "referral_allowed": _referral_allowed,
    "voucher_given": _voucher_given,
    "voucher_returned": voucher_news.returned,
    "voucher_gift_taken": voucher_news.gift_taken,
    "voucher_gift_lapsed": voucher_news.gift_lapsed,
    "ticket_reply": _ticket_reply,
    "ticket_edit": _ticket_edit,
    "ticket_delete": _ticket_delete,
    "ticket_reaction": _ticket_reaction,
    "ticket_resolved": _ticket_resolved,
    **care_news.KINDS,
    **cheers.KINDS,
    **complaint_notices.KINDS,
    **deadline_news.KINDS,
    **weekly.KINDS,
    **point_notices.KINDS,
    **privacy.KINDS,
    **staff_news.KINDS,
}
"""What goes to the phone itself (`phone_code`) has no words here: never into the chat that asked for it."""
