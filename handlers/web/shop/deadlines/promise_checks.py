"""What of promises needs the owner: one that was missed and is still to be kept."""

from sqlalchemy.orm import Session

from handlers.web.shop.needs import Ask, Need, Severity
from store.staff import Right
from support.deadlines import promises


def promise_missed(session: Session, ask: Ask) -> Need | None:
    """The oldest missed promise; how many others there are stands beside it."""
    here, said = ask.here, ask.said
    found = promises.missed(session, here.shop.id) if here.member.may(Right.DESK, here.shop.id) else []
    if not found:
        return None
    first = found[0]
    return Need(
        Severity.HARM, "bell",
        said.plural("{n} promise to a customer was missed", "{n} promises to customers were missed", len(found)),
        said("{name} promised “{what}” by {moment}.", name=first.owner, what=first.what,
             moment=said.moment(first.due_at, here.shop.timezone)),
        said("See to it"), f"/desk/{first.ticket_id}",
    )  # fmt: skip
