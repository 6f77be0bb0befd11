"""Our own accounts on messengers, as the messenger itself told us: what links need to know while it can't be asked."""

from sqlalchemy import Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, table


class MessengerAccount(Base):
    __tablename__ = "messenger_accounts"

    account: Mapped[str] = mapped_column(Text, primary_key=True)
    username: Mapped[str] = mapped_column(Text)


messenger_accounts = table(MessengerAccount)


def remember(session: Session, account: str, username: str) -> None:
    """Keep the public name of an account."""
    known = session.get(MessengerAccount, account)
    if known is None:
        session.add(MessengerAccount(account=account, username=username))
    elif known.username != username:
        known.username = username


def username_of(session: Session, account: str) -> str | None:
    """The public name of an account; None before the messenger told it."""
    return session.execute(
        select(messenger_accounts.c.username).where(messenger_accounts.c.account == account)
    ).scalar()
