"""Hooks: what else happens when something happens to a ticket. Each is a plain rule, called in the order of its list, in
the work that changed the ticket and with the desk's turn held, so it may write to the ticket at once.

`support/__init__.py` fills the lists, in one place that can be read from top to bottom.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from support.tickets import Ticket

OPENED: "list[Callable[[Session, Ticket], None]]" = []
"""(session, ticket): a ticket was opened. The customer's first words are not in it yet."""
CUSTOMER_SAID: "list[Callable[[Session, Ticket, int, str], None]]" = []
"""(session, ticket, message_id, text): the customer wrote in it."""
AGENT_SAID: "list[Callable[[Session, Ticket, int, int], None]]" = []
"""(session, ticket, message_id, staff_id): the customer was answered; notes don't count."""
ASSIGNED: "list[Callable[[Session, Ticket, int | None, int], None]]" = []
"""(session, ticket, before, by): a colleague took it, handed it on or put it back for all; `before` looked after it until now."""
STATE_CHANGED: "list[Callable[[Session, Ticket, str, int | None], None]]" = []
"""(session, ticket, before, by): its state is another than `before`; `by` is who did it (nobody: the customer or the clock)."""
PRIORITY_CHANGED: "list[Callable[[Session, Ticket, str, int | None], None]]" = []
"""(session, ticket, before, by): the same of its priority."""
MERGED: "list[Callable[[Session, Ticket, Ticket], None]]" = []
"""(session, ticket, gone): `gone` is a part of `ticket` from now on: what hangs on it moves along."""
COMPLAINT_CHANGED: "list[Callable[[Session, Ticket], None]]" = []
"""(session, ticket): it became a complaint, the complaint ended, or it began anew."""
