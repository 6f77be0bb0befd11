"""What the desk's page is given: tickets, threads and refusals as JSON, in the reader's words."""

from collections.abc import Sequence
from typing import Any

from handlers.words import Words
from store.errors import InvalidError, RuleError
from store.staff import Member, Right
from support import handling, thread
from support.queue import Line
from support.tickets import TicketStateError
from support.topics import Topic


def line(found: Line) -> dict[str, Any]:
    """A ticket in the list."""
    ticket = found.ticket
    return {
        "id": ticket.id, "shop": ticket.shop_id, "customer": found.customer, "customer_id": ticket.customer_id,
        "rank": found.rank, "priority": found.priority, "subject": ticket.subject, "topic": ticket.topic,
        "state": ticket.state, "urgent": ticket.priority == "urgent", "hurry": ticket.priority,
        "snoozed_until": ticket.snoozed_until.isoformat() if ticket.snoozed_until else None, "merged_into": ticket.merged_into,
        "assignee_id": ticket.assignee_id,
        "assignee": found.assignee, "unread": found.unread, "stars": found.stars,
        "at": ticket.updated_at.isoformat(), "created": ticket.created_at.isoformat(), "changed": ticket.changed,
        "last_seq": ticket.last_seq, "preview": ticket.preview,
    }  # fmt: skip


def thread_line(said: Words, member: Member, found: thread.Message | thread.Happened) -> dict[str, Any]:
    """A message or an event of a thread; `may_change`: the member wrote it, or leads those who did."""
    if isinstance(found, thread.Happened):
        return {
            "seq": found.seq, "changed": found.changed, "at": found.at.isoformat(), "event": found.kind,
            "words": happened(said, found), "left": found.data.get("seqs", []) if found.kind == "split" else [],
        }  # fmt: skip
    return {
        "seq": found.seq, "changed": found.changed, "id": found.id, "sent_as": found.key, "who": found.who, "staff": found.staff,
        "at": found.at.isoformat(), "text": found.text,
        "edited": found.edited_at.isoformat() if found.edited_at else None, "history": found.history,
        "deleted": found.deleted_at.isoformat() if found.deleted_at else None, "reactions": found.reactions,
        "may_change": found.staff_id is not None and (found.staff_id == member.id or member.may(Right.SUPERVISE)),
        "reply_to": found.reply_to, "location": found.location, "group": found.group_id, "state": found.state,
        "reason": reason(said, found.reason) if found.state in {"failed", "unknown"} else None,
        "files": [_file(file) for file in found.files],
    }  # fmt: skip


def _file(file: thread.Attached) -> dict[str, Any]:
    return {
        "id": file.id, "kind": file.kind, "name": file.name, "size": file.size, "width": file.width,
        "height": file.height, "duration": file.seconds, "state": file.state,
        "url": f"/desk/media/{file.id}" if file.state == "stored" else None,
    }  # fmt: skip


def happened(said: Words, event: thread.Happened) -> str:
    """What happened to a ticket, as one short sentence."""
    who, data = event.staff or "", event.data
    match event.kind:
        case "opened":
            return said("The customer asked for help")
        case "assigned" if data["to"] is None:
            return said("{name} put this back for everyone", name=who)
        case "assigned" if data["to"] == who:
            return said("{name} took this on", name=who)
        case "assigned":
            return said("{name} handed this to {other}", name=who, other=data["to"])
        case "resolved":
            return said("{name} marked this as solved", name=who)
        case "reopened":
            return said("{name} opened this again", name=who) if who else said("The customer wrote again")
        case "closed":
            return said("{name} closed this", name=who) if who else said("This closed by itself")
        case "rated":
            stars = "★" * data["stars"] + "☆" * (5 - data["stars"])
            return said("The customer rated the help: {stars}", stars=stars)
        case "commented":
            return said("The customer added: “{words}”", words=data["comment"])
    return event.kind


def reason(said: Words, raw: str | None) -> str:
    """Why a message did not arrive, so that the agent knows what to do; `raw` is the messenger's or the notifier's word."""
    text = (raw or "").lower()
    if "blocked" in text or "deactivated" in text or "unreachable" in text:
        return said("The customer has blocked the shop or left the messenger.")
    if "no messenger" in text or "nobody" in text or "chat not found" in text:
        return said("The customer can't be reached on any messenger.")
    if "too big" in text or "too large" in text or "too_big" in text:
        return said("A file is too large for the customer's messenger.")
    if "expired" in text or "timeout" in text or "stopped" in text or not text:
        return said("The messenger didn't answer.")
    return said("The messenger refused it: {reason}", reason=(raw or "")[:200])


def refusal(said: Words, error: RuleError) -> str | None:
    """The desk's own words for a refusal; None where the site's will do."""
    if isinstance(error, handling.TakenError):
        return said("{name} is already on this.", name=error.name)
    if isinstance(error, TicketStateError):
        return said("This is closed. Open it again to write to the customer.") if error.state != "merged" else None
    if isinstance(error, InvalidError):
        known = {
            ("text", "empty"): said("Write something first."),
            ("text", "length"): said("This is too long for one message. Please send it in two parts."),
            ("files", "count"): said("That's too many files for one message. Send ten at most."),
            ("files", "size"): said("This file is larger than 20 MB. Please send a smaller one."),
            ("assignee", "unknown"): said("This colleague doesn't work at this desk."),
        }
        return known.get((error.field, error.problem))
    return None


def states(said: Words) -> dict[str, str]:
    return {
        "new": said("New"), "open": said("Our turn"), "waiting_customer": said("Customer's turn"), "snoozed": said("Snoozed"),
        "resolved": said("Solved"), "closed": said("Closed"),
    }  # fmt: skip


def topics(said: Words, own: Sequence[Topic] = ()) -> dict[str, str]:
    """What tickets are about, by key: those of support.topics.SHIPPED and a shop's own."""
    return {
        "order": said("Order"), "product": said("Product"), "points": said("Points and vouchers"),
        "complaint": said("Complaint"), **{one.key: one.english or one.name if said.language == "en" else one.name for one in own},
        "other": said("Something else"),
    }  # fmt: skip
