"""What of the set-up needs the owner: a night without a backup."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from handlers.web.shop.needs import Ask, Need, Severity
from store import options
from store.clock import now

LATE = timedelta(hours=30)


def backup_missed(session: Session, ask: Ask) -> Need | None:
    """The last nightly backup failed, or there was none for more than a day."""
    here, said = ask.here, ask.said
    kept = options.get(session, options.BACKUP) if here.rules_all else None
    if kept is None:
        return None
    late = bool(kept.get("at")) and now(session) - datetime.fromisoformat(kept["at"]) > LATE
    if not kept.get("error") and not late:
        return None
    return Need(
        Severity.HARM, "warn", said("Last night's backup failed"),
        said("Everything works, but a broken disk would now cost a day or more. Look at what went wrong."),
        said("Look at it"), here.url("/shop/setup"),
    )  # fmt: skip
