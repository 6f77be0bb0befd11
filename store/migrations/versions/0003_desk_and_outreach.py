"""The desk in full, and outreach: routing, promises, complaints, articles, segments, campaigns, journeys."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ticket_messages", sa.Column("reactions", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("ticket_messages", sa.Column("deleted_at", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("language", sa.Text(), server_default="vi", nullable=False))
    op.add_column("tickets", sa.Column("snoozed_until", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("closes_at", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("team_id", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("severity", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_tickets_closes",
        "tickets",
        ["closes_at"],
        unique=False,
        sqlite_where=sa.text("closes_at IS NOT NULL"),
        postgresql_where=sa.text("closes_at IS NOT NULL"),
    )
    op.create_index(
        "ix_tickets_snoozed",
        "tickets",
        ["snoozed_until"],
        unique=False,
        sqlite_where=sa.text("snoozed_until IS NOT NULL"),
        postgresql_where=sa.text("snoozed_until IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_tickets_snoozed",
        table_name="tickets",
        sqlite_where=sa.text("snoozed_until IS NOT NULL"),
        postgresql_where=sa.text("snoozed_until IS NOT NULL"),
    )
    op.drop_index(
        "ix_tickets_closes",
        table_name="tickets",
        sqlite_where=sa.text("closes_at IS NOT NULL"),
        postgresql_where=sa.text("closes_at IS NOT NULL"),
    )
    op.drop_column("tickets", "severity")
    op.drop_column("tickets", "team_id")
    op.drop_column("tickets", "merged_into")
    op.drop_column("tickets", "closes_at")
    op.drop_column("tickets", "snoozed_until")
    op.drop_column("tickets", "language")
    op.drop_column("ticket_messages", "deleted_at")
    op.drop_column("ticket_messages", "reactions")
