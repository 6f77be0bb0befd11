"""The loyalty store in full: earning plans, holds, tiers with benefits, recognition and all that came after the spine."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bonus_streaks",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "shop_id", name=op.f("pk_bonus_streaks")),
    )
    op.create_table(
        "event_cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_cursors")),
    )
    op.create_table(
        "expiry_told",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("before", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "day", "before", name=op.f("pk_expiry_told")),
    )
    op.create_table(
        "options",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_options")),
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
        "rounds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", "shop_id", name=op.f("pk_rounds")),
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
        "badges",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("icon", sa.Text(), nullable=False),
        sa.Column("picture", sa.Text(), nullable=True),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_badges_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badges")),
    )
    op.create_index(op.f("ix_badges_shop_id"), "badges", ["shop_id"], unique=False)
    op.create_table(
        "draws",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("tickets", sa.BigInteger(), nullable=True),
        sa.Column("when_out", sa.Text(), nullable=False),
        sa.Column("entry_by", sa.Text(), nullable=False),
        sa.Column("entry_per", sa.BigInteger(), nullable=False),
        sa.Column("per_day", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=True),
        sa.Column("seed_hash", sa.Text(), nullable=True),
        sa.Column("terms", sa.JSON(), nullable=True),
        sa.Column("drawn", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.Text(), nullable=True),
        sa.Column("assured", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_draws_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draws")),
    )
    op.create_index(
        "ix_draws_due",
        "draws",
        ["ends_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_draws_shop", "draws", ["shop_id", "state"], unique=False)
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
        "import_jobs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("same", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_import_jobs_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_jobs")),
    )
    op.create_index(
        "ix_import_jobs_running",
        "import_jobs",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(op.f("ix_import_jobs_shop_id"), "import_jobs", ["shop_id"], unique=False)
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
        "streaks",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_streaks_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_streaks")),
    )
    op.create_table(
        "thank_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_thank_rules_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thank_rules")),
    )
    op.create_index(op.f("ix_thank_rules_shop_id"), "thank_rules", ["shop_id"], unique=False)
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
        "adjustments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_adjustments_asked_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_adjustments_customer_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_adjustments_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
        sa.UniqueConstraint("key", name=op.f("uq_adjustments_key")),
    )
    op.create_index(op.f("ix_adjustments_customer_id"), "adjustments", ["customer_id"], unique=False)
    op.create_index(
        "ix_adjustments_waiting",
        "adjustments",
        ["shop_id", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "badge_awards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("badge_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("taken_back_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["badge_id"], ["badges.id"], name=op.f("fk_badge_awards_badge_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_badge_awards_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badge_awards")),
        sa.UniqueConstraint("customer_id", "badge_id", name=op.f("uq_badge_awards_customer_id_badge_id")),
    )
    op.create_index(op.f("ix_badge_awards_badge_id"), "badge_awards", ["badge_id"], unique=False)
    op.create_table(
        "code_batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("program_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["program_id"], ["voucher_programs.id"], name=op.f("fk_code_batches_program_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_batches")),
    )
    op.create_index("ix_code_batches_program", "code_batches", ["program_id", "id"], unique=False)
    op.create_index(
        "ix_code_batches_running",
        "code_batches",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "draw_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("draw_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_draw_entries_customer_id")),
        sa.ForeignKeyConstraint(["draw_id"], ["draws.id"], name=op.f("fk_draw_entries_draw_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw_entries")),
        sa.UniqueConstraint("key", name=op.f("uq_draw_entries_key")),
    )
    op.create_index("ix_draw_entries_customer", "draw_entries", ["customer_id", "draw_id", "state"], unique=False)
    op.create_index("ix_draw_entries_order", "draw_entries", ["order_id"], unique=False)
    op.create_table(
        "draw_log",
        sa.Column("draw_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["draw_id"], ["draws.id"], name=op.f("fk_draw_log_draw_id")),
        sa.PrimaryKeyConstraint("draw_id", "number", name=op.f("pk_draw_log")),
    )
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
        "import_refusals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["import_jobs.id"], name=op.f("fk_import_refusals_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_refusals")),
    )
    op.create_index(op.f("ix_import_refusals_job_id"), "import_refusals", ["job_id"], unique=False)
    op.create_table(
        "point_gifts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("giver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lapses_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["giver_id"], ["customers.id"], name=op.f("fk_point_gifts_giver_id")),
        sa.ForeignKeyConstraint(["receiver_id"], ["customers.id"], name=op.f("fk_point_gifts_receiver_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_point_gifts_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_point_gifts")),
        sa.UniqueConstraint("key", name=op.f("uq_point_gifts_key")),
        sa.UniqueConstraint("token", name=op.f("uq_point_gifts_token")),
    )
    op.create_index("ix_point_gifts_giver_id", "point_gifts", ["giver_id", "at"], unique=False)
    op.create_index(op.f("ix_point_gifts_receiver_id"), "point_gifts", ["receiver_id"], unique=False)
    op.create_index(
        "ix_point_gifts_waiting",
        "point_gifts",
        ["lapses_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "prizes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("program_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("stock", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("stock IS NULL OR stock > 0", name=op.f("ck_prizes_stock_positive")),
        sa.ForeignKeyConstraint(["program_id"], ["voucher_programs.id"], name=op.f("fk_prizes_program_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_prizes_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prizes")),
    )
    op.create_index(op.f("ix_prizes_shop_id"), "prizes", ["shop_id"], unique=False)
    op.create_table(
        "thank_tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("picture", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("sent", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_thank_tasks_customer_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_thank_tasks_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thank_tasks")),
        sa.UniqueConstraint("key", name=op.f("uq_thank_tasks_key")),
    )
    op.create_index(op.f("ix_thank_tasks_customer_id"), "thank_tasks", ["customer_id"], unique=False)
    op.create_index("ix_thank_tasks_shop", "thank_tasks", ["shop_id", "state", "id"], unique=False)
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
        "batch_rejects",
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["code_batches.id"], name=op.f("fk_batch_rejects_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "line", name=op.f("pk_batch_rejects")),
    )
    op.create_table(
        "draw_prizes",
        sa.Column("draw_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("prize_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("odds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["draw_id"], ["draws.id"], name=op.f("fk_draw_prizes_draw_id")),
        sa.ForeignKeyConstraint(["prize_id"], ["prizes.id"], name=op.f("fk_draw_prizes_prize_id")),
        sa.PrimaryKeyConstraint("draw_id", "place", name=op.f("pk_draw_prizes")),
        sa.UniqueConstraint("prize_id", name=op.f("uq_draw_prizes_prize_id")),
    )
    op.create_table(
        "quests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("every", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("prize_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["prize_id"], ["prizes.id"], name=op.f("fk_quests_prize_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_quests_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quests")),
    )
    op.create_index(op.f("ix_quests_shop_id"), "quests", ["shop_id"], unique=False)
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
        "surprises",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("happens", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("prize_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("seed_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["prize_id"], ["prizes.id"], name=op.f("fk_surprises_prize_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_surprises_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surprises")),
    )
    op.create_index(op.f("ix_surprises_shop_id"), "surprises", ["shop_id"], unique=False)
    op.create_table(
        "voucher_gifts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("voucher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("giver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lapses_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["giver_id"], ["customers.id"], name=op.f("fk_voucher_gifts_giver_id")),
        sa.ForeignKeyConstraint(["taken_by"], ["customers.id"], name=op.f("fk_voucher_gifts_taken_by")),
        sa.ForeignKeyConstraint(["voucher_id"], ["vouchers.id"], name=op.f("fk_voucher_gifts_voucher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher_gifts")),
        sa.UniqueConstraint("code", name=op.f("uq_voucher_gifts_code")),
    )
    op.create_index(
        "ix_voucher_gifts_due",
        "voucher_gifts",
        ["lapses_at"],
        unique=False,
        sqlite_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
    )
    op.create_index(op.f("ix_voucher_gifts_giver_id"), "voucher_gifts", ["giver_id"], unique=False)
    op.create_index(op.f("ix_voucher_gifts_taken_by"), "voucher_gifts", ["taken_by"], unique=False)
    op.create_index(op.f("ix_voucher_gifts_voucher_id"), "voucher_gifts", ["voucher_id"], unique=False)
    op.create_index(
        "uq_voucher_gifts_open",
        "voucher_gifts",
        ["voucher_id"],
        unique=True,
        sqlite_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
    )
    op.create_table(
        "wins",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("prize_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("hold_id", sa.BigInteger(), nullable=True),
        sa.Column("voucher_id", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_wins_customer_id")),
        sa.ForeignKeyConstraint(["prize_id"], ["prizes.id"], name=op.f("fk_wins_prize_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_wins_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wins")),
        sa.UniqueConstraint("key", name=op.f("uq_wins_key")),
    )
    op.create_index("ix_wins_customer", "wins", ["customer_id", "at"], unique=False)
    op.create_index(op.f("ix_wins_prize_id"), "wins", ["prize_id"], unique=False)
    op.create_index("ix_wins_shop", "wins", ["shop_id", "state", "at"], unique=False)
    op.create_table(
        "quest_progress",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("quest_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("win_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_quest_progress_customer_id")),
        sa.ForeignKeyConstraint(["quest_id"], ["quests.id"], name=op.f("fk_quest_progress_quest_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quest_progress")),
        sa.UniqueConstraint(
            "quest_id", "customer_id", "occurrence", name=op.f("uq_quest_progress_quest_id_customer_id_occurrence")
        ),
    )
    op.create_index("ix_quest_progress_customer", "quest_progress", ["customer_id"], unique=False)
    op.create_table(
        "surprise_looks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("surprise_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("won", sa.Boolean(), nullable=False),
        sa.Column("win_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["surprise_id"], ["surprises.id"], name=op.f("fk_surprise_looks_surprise_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surprise_looks")),
        sa.UniqueConstraint("surprise_id", "occasion", name=op.f("uq_surprise_looks_surprise_id_occasion")),
    )
    op.create_index("ix_surprise_looks_day", "surprise_looks", ["surprise_id", "day"], unique=False)
    op.create_index("ix_surprise_looks_order", "surprise_looks", ["order_id"], unique=False)
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
    op.drop_index(op.f("ix_lots_due"), table_name="lots", sqlite_where=sa.text("remaining > 0"))
    op.create_index(
        "ix_lots_due",
        "lots",
        ["expires_at", "id"],
        unique=False,
        sqlite_where=sa.text("remaining > 0"),
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_index("ix_notices_customer_id", "notices", ["customer_id", "id"], unique=False)
    op.add_column("orders", sa.Column("plan_id", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("context", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("orders", sa.Column("listed", sa.BigInteger(), nullable=True))
    op.add_column("programme", sa.Column("expiry_rule", sa.Text(), server_default="month", nullable=False))
    op.add_column("programme", sa.Column("refund_policy", sa.Text(), server_default="allow_debt", nullable=False))
    op.add_column("programme", sa.Column("gift_points", sa.BigInteger(), server_default="500", nullable=False))
    op.add_column("programme", sa.Column("gift_count", sa.BigInteger(), server_default="5", nullable=False))
    op.add_column("programme", sa.Column("adjust_owner", sa.BigInteger(), server_default="1000000000", nullable=False))
    op.add_column(
        "programme", sa.Column("adjust_manager", sa.BigInteger(), server_default="1000000000", nullable=False)
    )
    op.add_column("programme", sa.Column("adjust_agent", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("programme", sa.Column("adjust_cashier", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column(
        "programme", sa.Column("second_approval", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("redemptions", sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("redemptions", sa.Column("lines", sa.Text(), nullable=True))
    op.add_column("redemptions", sa.Column("budget_hold", sa.BigInteger(), nullable=True))
    op.add_column("redemptions", sa.Column("stock_hold", sa.BigInteger(), nullable=True))
    op.add_column("redemptions", sa.Column("turn", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.drop_index(
        op.f("uq_redemptions_live"),
        table_name="redemptions",
        sqlite_where=sa.text("state IN ('reserved', 'confirmed')"),
    )
    op.create_index(
        "uq_redemptions_holder",
        "redemptions",
        ["voucher_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('reserved', 'confirmed') AND NOT shared"),
        postgresql_where=sa.text("state IN ('reserved', 'confirmed') AND NOT shared"),
    )
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
    op.add_column("tiers", sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("tiers", sa.Column("picture", sa.Text(), nullable=True))
    op.add_column("tiers", sa.Column("multiplier", sa.BigInteger(), server_default="100", nullable=False))
    op.add_column("tiers", sa.Column("price_cut", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("tiers", sa.Column("price_list", sa.Text(), server_default=sa.text("''"), nullable=False))
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
    op.add_column("web_chats", sa.Column("address", sa.Text(), nullable=True))

    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER draw_log_append_only BEFORE UPDATE OR DELETE ON draw_log FOR EACH ROW EXECUTE FUNCTION append_only()"
        )
        op.execute(
            "CREATE TRIGGER draw_log_no_truncate BEFORE TRUNCATE ON draw_log FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
    else:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER draw_log_no_{action.lower()} BEFORE {action} ON draw_log "
                "BEGIN SELECT RAISE(ABORT, 'draw_log is append-only'); END"
            )

    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER earning_plans_append_only BEFORE UPDATE OR DELETE ON earning_plans FOR EACH ROW EXECUTE FUNCTION append_only()"
        )
        op.execute(
            "CREATE TRIGGER earning_plans_no_truncate BEFORE TRUNCATE ON earning_plans FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
    else:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER earning_plans_no_{action.lower()} BEFORE {action} ON earning_plans "
                "BEGIN SELECT RAISE(ABORT, 'earning_plans is append-only'); END"
            )


def downgrade() -> None:
    op.drop_column("web_chats", "address")
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
    op.drop_index(
        "uq_redemptions_holder",
        table_name="redemptions",
        sqlite_where=sa.text("state IN ('reserved', 'confirmed') AND NOT shared"),
        postgresql_where=sa.text("state IN ('reserved', 'confirmed') AND NOT shared"),
    )
    op.create_index(
        op.f("uq_redemptions_live"),
        "redemptions",
        ["voucher_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('reserved', 'confirmed')"),
        postgresql_where=sa.text("state IN ('reserved', 'confirmed')"),
    )
    op.drop_column("redemptions", "turn")
    op.drop_column("redemptions", "stock_hold")
    op.drop_column("redemptions", "budget_hold")
    op.drop_column("redemptions", "lines")
    op.drop_column("redemptions", "shared")
    op.drop_column("programme", "second_approval")
    op.drop_column("programme", "adjust_cashier")
    op.drop_column("programme", "adjust_agent")
    op.drop_column("programme", "adjust_manager")
    op.drop_column("programme", "adjust_owner")
    op.drop_column("programme", "gift_count")
    op.drop_column("programme", "gift_points")
    op.drop_column("programme", "refund_policy")
    op.drop_column("programme", "expiry_rule")
    op.drop_column("orders", "listed")
    op.drop_column("orders", "context")
    op.drop_column("orders", "plan_id")
    op.drop_index("ix_notices_customer_id", table_name="notices")
    op.drop_index(
        "ix_lots_due",
        table_name="lots",
        sqlite_where=sa.text("remaining > 0"),
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_index(op.f("ix_lots_due"), "lots", ["expires_at"], unique=False, sqlite_where=sa.text("remaining > 0"))
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
    op.drop_index("ix_surprise_looks_order", table_name="surprise_looks")
    op.drop_index("ix_surprise_looks_day", table_name="surprise_looks")
    op.drop_table("surprise_looks")
    op.drop_index("ix_quest_progress_customer", table_name="quest_progress")
    op.drop_table("quest_progress")
    op.drop_index("ix_wins_shop", table_name="wins")
    op.drop_index(op.f("ix_wins_prize_id"), table_name="wins")
    op.drop_index("ix_wins_customer", table_name="wins")
    op.drop_table("wins")
    op.drop_index(
        "uq_voucher_gifts_open",
        table_name="voucher_gifts",
        sqlite_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_voucher_gifts_voucher_id"), table_name="voucher_gifts")
    op.drop_index(op.f("ix_voucher_gifts_taken_by"), table_name="voucher_gifts")
    op.drop_index(op.f("ix_voucher_gifts_giver_id"), table_name="voucher_gifts")
    op.drop_index(
        "ix_voucher_gifts_due",
        table_name="voucher_gifts",
        sqlite_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("taken_by IS NULL AND ended_at IS NULL"),
    )
    op.drop_table("voucher_gifts")
    op.drop_index(op.f("ix_surprises_shop_id"), table_name="surprises")
    op.drop_table("surprises")
    op.drop_table("referral_rewards")
    op.drop_index("ix_referral_orders_order_id", table_name="referral_orders")
    op.drop_table("referral_orders")
    op.drop_index(op.f("ix_quests_shop_id"), table_name="quests")
    op.drop_table("quests")
    op.drop_table("draw_prizes")
    op.drop_table("batch_rejects")
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
    op.drop_index("ix_thank_tasks_shop", table_name="thank_tasks")
    op.drop_index(op.f("ix_thank_tasks_customer_id"), table_name="thank_tasks")
    op.drop_table("thank_tasks")
    op.drop_index(op.f("ix_prizes_shop_id"), table_name="prizes")
    op.drop_table("prizes")
    op.drop_index(
        "ix_point_gifts_waiting",
        table_name="point_gifts",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index(op.f("ix_point_gifts_receiver_id"), table_name="point_gifts")
    op.drop_index("ix_point_gifts_giver_id", table_name="point_gifts")
    op.drop_table("point_gifts")
    op.drop_index(op.f("ix_import_refusals_job_id"), table_name="import_refusals")
    op.drop_table("import_refusals")
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
    op.drop_table("draw_log")
    op.drop_index("ix_draw_entries_order", table_name="draw_entries")
    op.drop_index("ix_draw_entries_customer", table_name="draw_entries")
    op.drop_table("draw_entries")
    op.drop_index(
        "ix_code_batches_running",
        table_name="code_batches",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_index("ix_code_batches_program", table_name="code_batches")
    op.drop_table("code_batches")
    op.drop_index(op.f("ix_badge_awards_badge_id"), table_name="badge_awards")
    op.drop_table("badge_awards")
    op.drop_index(
        "ix_adjustments_waiting",
        table_name="adjustments",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index(op.f("ix_adjustments_customer_id"), table_name="adjustments")
    op.drop_table("adjustments")
    op.drop_index(op.f("ix_webhooks_shop_id"), table_name="webhooks")
    op.drop_table("webhooks")
    op.drop_index(op.f("ix_thank_rules_shop_id"), table_name="thank_rules")
    op.drop_table("thank_rules")
    op.drop_table("streaks")
    op.drop_table("staff_pins")
    op.drop_index(op.f("ix_import_jobs_shop_id"), table_name="import_jobs")
    op.drop_index(
        "ix_import_jobs_running",
        table_name="import_jobs",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_table("import_jobs")
    op.drop_table("earning_plans")
    op.drop_index("ix_draws_shop", table_name="draws")
    op.drop_index(
        "ix_draws_due",
        table_name="draws",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_table("draws")
    op.drop_index(op.f("ix_badges_shop_id"), table_name="badges")
    op.drop_table("badges")
    op.drop_table("tier_policy")
    op.drop_table("rounds")
    op.drop_table("referral_terms")
    op.drop_table("options")
    op.drop_table("expiry_told")
    op.drop_table("event_cursors")
    op.drop_table("bonus_streaks")
