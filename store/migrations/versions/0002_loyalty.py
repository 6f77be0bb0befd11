"""The loyalty store in full: earning plans, holds, tiers with benefits, recognition and all that came after the spine."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_cursors")),
    )
    op.create_table(
        "referral_terms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("referrer", sa.JSON(), nullable=False),
        sa.Column("friend", sa.JSON(), nullable=False),
        sa.Column("daily_limit", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_terms")),
    )
    op.create_table(
        "tier_policy",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("falling", sa.Text(), nullable=False),
        sa.Column("grace_days", sa.BigInteger(), nullable=False),
        sa.Column("notice_days", sa.BigInteger(), nullable=False),
        sa.Column("review_at", sa.BigInteger(), nullable=True),
        sa.Column("review_after", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_policy")),
    )
    op.create_table(
        "earning_plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_earning_plans_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earning_plans")),
        sa.UniqueConstraint("shop_id", "version", name=op.f("uq_earning_plans_shop_id_version")),
    )
    op.create_table(
        "staff_pins",
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("wrong", sa.BigInteger(), nullable=False),
        sa.Column("closed_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_pins_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff_pins")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("off", sa.Text(), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_webhooks_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_shop_id"), "webhooks", ["shop_id"], unique=False)
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
    op.create_table(
        "tier_gifts",
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("tier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_tier_gifts_customer_id")),
        sa.ForeignKeyConstraint(["tier_id"], ["tiers.id"], name=op.f("fk_tier_gifts_tier_id")),
        sa.PrimaryKeyConstraint("customer_id", "tier_id", "part", name=op.f("pk_tier_gifts")),
    )
    op.create_table(
        "tier_watches",
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("safe_until", sa.BigInteger(), nullable=True),
        sa.Column("told_for", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_tier_watches_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_tier_watches")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("millis", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_endpoint_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("endpoint_id", "name", name=op.f("uq_webhook_deliveries_endpoint_id_name")),
    )
    op.create_index("ix_webhook_deliveries_done", "webhook_deliveries", ["done_at"], unique=False)
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["endpoint_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "referral_orders",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("referral_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("point_value", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_referral_orders_order_id")),
        sa.ForeignKeyConstraint(["referral_id"], ["referrals.id"], name=op.f("fk_referral_orders_referral_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_orders")),
        sa.UniqueConstraint("referral_id", "order_id", name=op.f("uq_referral_orders_referral_id_order_id")),
    )
    op.create_index("ix_referral_orders_order_id", "referral_orders", ["order_id"], unique=False)
    op.create_table(
        "referral_rewards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("referral_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("of_order", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("standing", sa.BigInteger(), nullable=False),
        sa.Column("voucher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("blocked", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["referral_id"], ["referrals.id"], name=op.f("fk_referral_rewards_referral_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_referral_rewards_shop_id")),
        sa.ForeignKeyConstraint(["voucher_id"], ["vouchers.id"], name=op.f("fk_referral_rewards_voucher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_rewards")),
        sa.UniqueConstraint(
            "referral_id", "side", "of_order", name=op.f("uq_referral_rewards_referral_id_side_of_order")
        ),
    )
    op.create_table(
        "shifts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_sale_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("undone", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("points_used", sa.BigInteger(), nullable=False),
        sa.Column("points_paid", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("earned", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["last_sale_id"], ["sales.id"], name=op.f("fk_shifts_last_sale_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_shifts_shop_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_shifts_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shifts")),
        sa.UniqueConstraint("staff_id", "last_sale_id", name=op.f("uq_shifts_staff_id_last_sale_id")),
    )
    op.create_index("ix_shifts_shop", "shifts", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_customers_merged_into",
        "customers",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.add_column("events", sa.Column("seq", sa.BigInteger(), nullable=True))
    op.create_index("ix_events_seq", "events", ["seq"], unique=True)
    op.create_index(
        "ix_events_unnumbered",
        "events",
        ["id"],
        unique=False,
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.add_column("lot_moves", sa.Column("undoes", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_lot_moves_undoes"), "lot_moves", ["undoes"], unique=False)
    op.create_index("ix_notices_customer_id", "notices", ["customer_id", "id"], unique=False)
    op.add_column("referrals", sa.Column("terms_id", sa.BigInteger(), nullable=True))
    op.add_column("referrals", sa.Column("shop_id", sa.BigInteger(), nullable=True))
    op.add_column("referrals", sa.Column("due_at", sa.BigInteger(), nullable=True))
    op.add_column("referrals", sa.Column("counting", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("referrals", sa.Column("decided_by", sa.Text(), nullable=True))
    op.add_column("referrals", sa.Column("decided_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_referrals_due",
        "referrals",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.add_column("sales", sa.Column("shift_id", sa.BigInteger(), nullable=True))
    op.add_column("tiers", sa.Column("keep", sa.BigInteger(), nullable=True))
    op.add_column("tiers", sa.Column("description", sa.Text(), server_default="", nullable=False))
    op.add_column("tiers", sa.Column("picture", sa.Text(), nullable=True))
    op.add_column("tiers", sa.Column("multiplier", sa.BigInteger(), server_default="100", nullable=False))
    op.add_column("tiers", sa.Column("price_cut", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("tiers", sa.Column("price_list", sa.Text(), server_default="", nullable=False))
    op.add_column("tiers", sa.Column("gift_points", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("tiers", sa.Column("gift_program_id", sa.BigInteger(), nullable=True))
    op.add_column("tiers", sa.Column("priority", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("voucher_programs", sa.Column("items", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("voucher_programs", sa.Column("categories", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("voucher_programs", sa.Column("times", sa.BigInteger(), nullable=True))
    op.add_column("voucher_programs", sa.Column("branches", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("voucher_programs", sa.Column("weekdays", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("voucher_programs", sa.Column("from_minute", sa.BigInteger(), nullable=True))
    op.add_column("voucher_programs", sa.Column("until_minute", sa.BigInteger(), nullable=True))
    op.add_column("voucher_programs", sa.Column("per_day", sa.BigInteger(), nullable=True))
    op.add_column("voucher_programs", sa.Column("per_customer_day", sa.BigInteger(), nullable=True))
    op.add_column("voucher_programs", sa.Column("budget", sa.BigInteger(), nullable=True))
    op.add_column("voucher_programs", sa.Column("stacks", sa.Text(), server_default=sa.text("'all'"), nullable=False))
    op.add_column("voucher_programs", sa.Column("stacks_with", sa.JSON(none_as_null=True), nullable=True))
    op.add_column(
        "voucher_programs", sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("voucher_programs", sa.Column("returns", sa.Text(), server_default=sa.text("'full'"), nullable=False))
    op.add_column("voucher_programs", sa.Column("image", sa.Text(), nullable=True))
    op.add_column("vouchers", sa.Column("batch_id", sa.BigInteger(), nullable=True))
    op.add_column("vouchers", sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "ix_vouchers_batch",
        "vouchers",
        ["batch_id", "id"],
        unique=False,
        sqlite_where=sa.text("batch_id IS NOT NULL"),
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_vouchers_batch",
        table_name="vouchers",
        sqlite_where=sa.text("batch_id IS NOT NULL"),
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.drop_column("vouchers", "shared")
    op.drop_column("vouchers", "batch_id")
    op.drop_column("voucher_programs", "image")
    op.drop_column("voucher_programs", "returns")
    op.drop_column("voucher_programs", "shared")
    op.drop_column("voucher_programs", "stacks_with")
    op.drop_column("voucher_programs", "stacks")
    op.drop_column("voucher_programs", "budget")
    op.drop_column("voucher_programs", "per_customer_day")
    op.drop_column("voucher_programs", "per_day")
    op.drop_column("voucher_programs", "until_minute")
    op.drop_column("voucher_programs", "from_minute")
    op.drop_column("voucher_programs", "weekdays")
    op.drop_column("voucher_programs", "branches")
    op.drop_column("voucher_programs", "times")
    op.drop_column("voucher_programs", "categories")
    op.drop_column("voucher_programs", "items")
    op.drop_column("tiers", "priority")
    op.drop_column("tiers", "gift_program_id")
    op.drop_column("tiers", "gift_points")
    op.drop_column("tiers", "price_list")
    op.drop_column("tiers", "price_cut")
    op.drop_column("tiers", "multiplier")
    op.drop_column("tiers", "picture")
    op.drop_column("tiers", "description")
    op.drop_column("tiers", "keep")
    op.drop_column("sales", "shift_id")
    op.drop_index(
        "ix_referrals_due",
        table_name="referrals",
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_column("referrals", "decided_at")
    op.drop_column("referrals", "decided_by")
    op.drop_column("referrals", "counting")
    op.drop_column("referrals", "due_at")
    op.drop_column("referrals", "shop_id")
    op.drop_column("referrals", "terms_id")
    op.drop_index("ix_notices_customer_id", table_name="notices")
    op.drop_index(op.f("ix_lot_moves_undoes"), table_name="lot_moves")
    op.drop_column("lot_moves", "undoes")
    op.drop_index(
        "ix_events_unnumbered",
        table_name="events",
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.drop_index("ix_events_seq", table_name="events")
    op.drop_column("events", "seq")
    op.drop_index(
        "ix_customers_merged_into",
        table_name="customers",
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.drop_index("ix_shifts_shop", table_name="shifts")
    op.drop_table("shifts")
    op.drop_table("referral_rewards")
    op.drop_index("ix_referral_orders_order_id", table_name="referral_orders")
    op.drop_table("referral_orders")
    op.drop_index(
        "ix_webhook_deliveries_due",
        table_name="webhook_deliveries",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index("ix_webhook_deliveries_done", table_name="webhook_deliveries")
    op.drop_table("webhook_deliveries")
    op.drop_table("tier_watches")
    op.drop_table("tier_gifts")
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
    op.drop_index(op.f("ix_webhooks_shop_id"), table_name="webhooks")
    op.drop_table("webhooks")
    op.drop_table("staff_pins")
    op.drop_table("earning_plans")
    op.drop_table("tier_policy")
    op.drop_table("referral_terms")
    op.drop_table("event_cursors")
