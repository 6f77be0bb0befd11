"""The desk in full, and outreach: routing, promises, complaints, articles, segments, campaigns, journeys."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendars",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("week", sa.JSON(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_calendars_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
    )
    op.create_index("ix_calendars_shop", "calendars", ["shop_id", "id"], unique=False)
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
    op.drop_index("ix_calendars_shop", table_name="calendars")
    op.drop_table("calendars")
