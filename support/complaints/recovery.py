"""Recovery: a low rating opens a case of its own, with a supervisor as its owner, who wins the customer back."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from support import tickets
from support.complaints import complaints, opening, team, terms
from support.complaints.complaints import Complaint, Origin
from support.complaints.severity import Fact, Level, Why
from support.tickets import Ticket


def rated(session: Session, ticket: Ticket, stars: int) -> Complaint | None:
    """A ticket that is held was rated: as low as the shop says opens a recovery case, once for a ticket. One star begins
    at S2, more at S3. A case that was rated low again has its own supervisor already.
    """
    shop_terms = terms.of(session, ticket.shop_id)
    if stars > shop_terms.recovery_stars or of_ticket(session, ticket.id) is not None:
        return None
    mine = complaints.find(session, ticket.id)
    if mine is not None and mine.rated_ticket is not None:
        return None
    owner = team.least_busy(session, ticket.shop_id)
    case = tickets.begin(
        session, ticket.customer_id, ticket.shop_id, topic="complaint", follows=ticket.id,
        assignee_id=owner.id if owner else None,
    )  # fmt: skip
    subject = f"{stars} ★ · #{ticket.id}"
    tickets.write(session, case, subject=subject, folded=tickets.folded(session, case.customer_id, subject))
    case = tickets.hold(session, case.id)
    if owner is not None:
        tickets.log(session, case, "assigned", None, to=owner.id)
    tickets.log(session, ticket, "complaint_recovery", None, case=case.id)
    known = opening.begin(
        session, case, Origin.RATING, rated=ticket.id, least=Level.S2 if stars == 1 else Level.S3,
        extra=[Fact(Why.RATING, str(stars))],
    )  # fmt: skip
    if owner is not None:
        team.tell(
            session, "recovery_opened", owner.id, case, replaces=f"complaint_grave:{case.id}:{owner.id}",
            rated=ticket.id, stars=stars,
        )  # fmt: skip
    return known


def commented(session: Session, ticket: Ticket, words: str) -> None:
    """What the customer added to a low rating stands in the recovery case too."""
    known = of_ticket(session, ticket.id)
    if known is None or known.outcome is not None:
        return
    case = tickets.hold(session, known.ticket_id)
    tickets.log(session, case, "commented", None, comment=words)


def of_ticket(session: Session, ticket_id: int) -> Complaint | None:
    """The recovery case of a ticket that was rated low."""
    c = complaints.complaints.c
    found = session.execute(select(c.ticket_id).where(c.rated_ticket == ticket_id)).scalar()
    return None if found is None else complaints.get(session, found)
