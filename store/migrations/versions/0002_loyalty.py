"""The loyalty store in full: earning plans, holds, tiers with benefits, recognition and all that came after the spine."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("transfer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("held_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("posted", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lapses_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount > 0 AND posted >= 0 AND posted <= amount", name=op.f("ck_holds_within_amount")),
        sa.ForeignKeyConstraint(["held_id"], ["accounts.id"], name=op.f("fk_holds_held_id")),
        sa.ForeignKeyConstraint(["source_id"], ["accounts.id"], name=op.f("fk_holds_source_id")),
        sa.ForeignKeyConstraint(["target_id"], ["accounts.id"], name=op.f("fk_holds_target_id")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_holds_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("key", name=op.f("uq_holds_key")),
    )
    op.create_index(op.f("ix_holds_customer_id"), "holds", ["customer_id"], unique=False)
    op.create_index(
        "ix_holds_due",
        "holds",
        ["lapses_at"],
        unique=False,
        sqlite_where=sa.text("state = 'placed'"),
        postgresql_where=sa.text("state = 'placed'"),
    )
    op.create_index(
        "ix_holds_open",
        "holds",
        ["held_id"],
        unique=False,
        sqlite_where=sa.text("state = 'placed'"),
        postgresql_where=sa.text("state = 'placed'"),
    )
    op.add_column("lot_moves", sa.Column("undoes", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_lot_moves_undoes"), "lot_moves", ["undoes"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_lot_moves_undoes"), table_name="lot_moves")
    op.drop_column("lot_moves", "undoes")
    op.drop_index(
        "ix_holds_open",
        table_name="holds",
        sqlite_where=sa.text("state = 'placed'"),
        postgresql_where=sa.text("state = 'placed'"),
    )
    op.drop_index(
        "ix_holds_due",
        table_name="holds",
        sqlite_where=sa.text("state = 'placed'"),
        postgresql_where=sa.text("state = 'placed'"),
    )
    op.drop_index(op.f("ix_holds_customer_id"), table_name="holds")
    op.drop_table("holds")
