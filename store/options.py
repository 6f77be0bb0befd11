"""Options: what an owner set up in the browser for the whole installation, and what the program notes for itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, table, upsert
from store.clock import now

TOKEN = "telegram_token"  # noqa: S105  # an option's name
"""{sealed, account, username}: the bot's token, sealed (store.sealed). Signalled under this name when it changes."""
FORUM = "staff_forum"
"""{account, chat_id, title, staff_id}: the group whose topics are the team's tickets."""
BACKUP = "backup"
"""{at, file, rows, error}: how the last nightly backup went; times as ISO 8601."""


class OptionRow(Base):
    __tablename__ = "options"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)


options = table(OptionRow)


def get(session: Session, name: str) -> dict[str, Any] | None:
    """What is set; None where nothing is."""
    found: dict[str, Any] | None = session.execute(select(options.c.value).where(options.c.name == name)).scalar()
    return found


def put(session: Session, name: str, value: dict[str, Any]) -> None:
    """Set it, whatever it was."""
    values = {"value": value, "changed_at": now(session)}
    session.execute(
        upsert(session, options).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
    )


def forget(session: Session, name: str) -> None:
    """Set it no longer."""
    session.execute(delete(options).where(options.c.name == name))
