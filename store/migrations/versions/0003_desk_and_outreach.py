"""The desk in full, and outreach: routing, promises, complaints, articles, segments, campaigns, journeys."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from store.text import fold

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def _names(items: Any) -> dict[tuple[int, str], str]:
    """What an order's items are called: by (kind, folded name) as written; 0 an item, 1 a category."""
    found: dict[tuple[int, str], str] = {}
    for item in items if isinstance(items, list) else []:
        for kind, key in ((0, "name"), (0, "sku"), (0, "code"), (1, "category"), (1, "group")):
            said = str(item.get(key) or "").replace("\x00", "").strip()
            name = fold(said).strip()[:100]
            if name and len(found) < 200:
                found.setdefault((kind, name), said[:100])
    return found


def upgrade() -> None:
    op.create_table(
        "accesses",
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("actor", "customer_id", "day", name=op.f("pk_accesses")),
    )
    op.create_table(
        "closed_answers",
        sa.Column("ticket_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("opens_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "opens_at", name=op.f("pk_closed_answers")),
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.BigInteger(), nullable=False),
        sa.Column("messenger", sa.Text(), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("proof", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_customer_id", "consents", ["customer_id", "id"], unique=False)
    op.create_table(
        "data_copies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_copies")),
    )
    op.create_index("ix_data_copies_customer", "data_copies", ["customer_id", "id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("purpose", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("left_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("voucher_id", sa.BigInteger(), nullable=True),
        sa.Column("calls", sa.BigInteger(), nullable=True),
        sa.Column("chat", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "source",
            "source_id",
            "step",
            "occurrence",
            "customer_id",
            name=op.f("uq_deliveries_source_source_id_step_occurrence_customer_id"),
        ),
    )
    op.create_index(
        "ix_deliveries_left",
        "deliveries",
        ["customer_id", "left_at"],
        unique=False,
        sqlite_where=sa.text("left_at IS NOT NULL"),
        postgresql_where=sa.text("left_at IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_planned",
        "deliveries",
        ["source", "source_id", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_deliveries_queued",
        "deliveries",
        ["source", "source_id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "do_not_call",
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("phone", name=op.f("pk_do_not_call")),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.BigInteger(), nullable=False),
        sa.Column("done_by", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(
        "ix_erasures_customer",
        "erasures",
        ["customer_id"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_erasures_due",
        "erasures",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_erasures_shop", "erasures", ["shop_id", "state", "done_by"], unique=False)
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "customer_id", name=op.f("pk_facts")),
    )
    op.create_table(
        "forum_desks",
        sa.Column("shop_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_forum_desks")),
    )
    op.create_table(
        "forum_posts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("call", sa.BigInteger(), nullable=True),
        sa.Column("chat", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forum_posts")),
    )
    op.create_index("ix_forum_posts_call", "forum_posts", ["call"], unique=False)
    op.create_index("ix_forum_posts_number", "forum_posts", ["chat", "number"], unique=False)
    op.create_index(
        "ix_forum_posts_queued",
        "forum_posts",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_forum_posts_ticket", "forum_posts", ["ticket_id", "message_id"], unique=False)
    op.create_table(
        "forum_topics",
        sa.Column("ticket_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chat", sa.BigInteger(), nullable=False),
        sa.Column("thread", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("color", sa.BigInteger(), nullable=False),
        sa.Column("shown", sa.BigInteger(), nullable=False),
        sa.Column("behind_at", sa.BigInteger(), nullable=True),
        sa.Column("undressed_at", sa.BigInteger(), nullable=True),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_forum_topics")),
    )
    op.create_index(
        "ix_forum_topics_behind",
        "forum_topics",
        ["behind_at"],
        unique=False,
        sqlite_where=sa.text("behind_at IS NOT NULL"),
        postgresql_where=sa.text("behind_at IS NOT NULL"),
    )
    op.create_index("ix_forum_topics_thread", "forum_topics", ["chat", "thread"], unique=False)
    op.create_index(
        "ix_forum_topics_undressed",
        "forum_topics",
        ["undressed_at"],
        unique=False,
        sqlite_where=sa.text("undressed_at IS NOT NULL"),
        postgresql_where=sa.text("undressed_at IS NOT NULL"),
    )
    op.create_table(
        "inactive_customers",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_inactive_customers")),
    )
    op.create_index("ix_inactive_customers_due", "inactive_customers", ["due_at"], unique=False)
    op.create_table(
        "journey_entries",
        sa.Column("journey_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.PrimaryKeyConstraint("journey_id", "customer_id", name=op.f("pk_journey_entries")),
    )
    op.create_table(
        "journey_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("step", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("missed", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journey_runs")),
        sa.UniqueConstraint(
            "journey_id", "occurrence", "customer_id", name=op.f("uq_journey_runs_journey_id_occurrence_customer_id")
        ),
    )
    op.create_index("ix_journey_runs_customer", "journey_runs", ["customer_id"], unique=False)
    op.create_index(
        "ix_journey_runs_due",
        "journey_runs",
        ["due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "kept_reports",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_kept_reports")),
    )
    op.create_table(
        "links",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("clicked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_delivery_id"), "links", ["delivery_id"], unique=False)
    op.create_table(
        "outlooks",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_outlooks")),
    )
    op.create_table(
        "questions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("article_id", sa.BigInteger(), nullable=True),
        sa.Column("helped", sa.Boolean(), nullable=True),
        sa.Column("ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    op.create_index("ix_questions_article", "questions", ["article_id", "helped"], unique=False)
    op.create_index("ix_questions_customer", "questions", ["customer_id", "id"], unique=False)
    op.create_index("ix_questions_shop", "questions", ["shop_id", "at"], unique=False)
    op.create_table(
        "routing_wakes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_wakes")),
    )
    op.create_index("ix_routing_wakes_at", "routing_wakes", ["at"], unique=False)
    op.create_table(
        "ticket_links",
        sa.Column("ticket_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("other_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "other_id", name=op.f("pk_ticket_links")),
    )
    op.create_index(op.f("ix_ticket_links_other_id"), "ticket_links", ["other_id"], unique=False)
    op.create_table(
        "articles",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_articles_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
    )
    op.create_index(op.f("ix_articles_shop_id"), "articles", ["shop_id"], unique=False)
    op.create_table(
        "calendar_recounts",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_calendar_recounts_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_calendar_recounts")),
    )
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
    op.create_table(
        "care_plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("every_days", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_care_plans_owner_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_care_plans_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_plans")),
    )
    op.create_index("ix_care_plans_shop", "care_plans", ["shop_id"], unique=False)
    op.create_table(
        "complaint_terms",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("check_days", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("repeat_days", sa.BigInteger(), nullable=False),
        sa.Column("recovery_stars", sa.BigInteger(), nullable=False),
        sa.Column("big_order", sa.BigInteger(), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("causes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_complaint_terms_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_complaint_terms")),
    )
    op.create_table(
        "desk_agents",
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("cap", sa.BigInteger(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("tiers", sa.JSON(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("week", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_desk_agents_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_desk_agents")),
    )
    op.create_table(
        "desk_presence",
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("desk_until", sa.BigInteger(), nullable=True),
        sa.Column("away", sa.Boolean(), nullable=False),
        sa.Column("here", sa.Boolean(), nullable=False),
        sa.Column("leave_at", sa.BigInteger(), nullable=True),
        sa.Column("given_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_desk_presence_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_desk_presence")),
    )
    op.create_index(
        "ix_desk_presence_leave_at",
        "desk_presence",
        ["leave_at"],
        unique=False,
        sqlite_where=sa.text("leave_at IS NOT NULL"),
        postgresql_where=sa.text("leave_at IS NOT NULL"),
    )
    op.create_table(
        "desks",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("reopen_days", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_desks_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_desks")),
    )
    op.create_table(
        "digests",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("off", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_digests_shop_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_digests_staff_id")),
        sa.PrimaryKeyConstraint("shop_id", "staff_id", name=op.f("pk_digests")),
    )
    op.create_table(
        "feedback_terms",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("nps_days", sa.BigInteger(), nullable=False),
        sa.Column("effort", sa.Boolean(), nullable=False),
        sa.Column("order_days", sa.BigInteger(), nullable=False),
        sa.Column("order_hours", sa.BigInteger(), nullable=False),
        sa.Column("order_after", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_feedback_terms_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_feedback_terms")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("over", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_incidents_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_shop", "incidents", ["shop_id", "id"], unique=False)
    op.create_table(
        "journey_tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_journey_tasks_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journey_tasks")),
        sa.UniqueConstraint("key", name=op.f("uq_journey_tasks_key")),
    )
    op.create_index("ix_journey_tasks_customer", "journey_tasks", ["customer_id"], unique=False)
    op.create_index(
        "ix_journey_tasks_open",
        "journey_tasks",
        ["shop_id", "id"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "journeys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("trigger", sa.JSON(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("on_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("calendar_day", sa.Text(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_journeys_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journeys")),
    )
    op.create_index(
        "ix_journeys_on",
        "journeys",
        ["shop_id"],
        unique=False,
        sqlite_where=sa.text('"on"'),
        postgresql_where=sa.text('"on"'),
    )
    op.create_table(
        "macros",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text_vi", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("seen_by", sa.Text(), nullable=False),
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_macros_shop_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_macros_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_macros")),
    )
    op.create_index("ix_macros_shop", "macros", ["shop_id", "removed_at"], unique=False)
    op.create_table(
        "saved_views",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_saved_views_shop_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_saved_views_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index("ix_saved_views_shared", "saved_views", ["shared", "shop_id"], unique=False)
    op.create_index("ix_saved_views_staff", "saved_views", ["staff_id"], unique=False)
    op.create_table(
        "segments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("listed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("discount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("price_list", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("payment_terms", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("notes", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_segments_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("shop_id", "key", name=op.f("uq_segments_shop_id_key")),
    )
    op.create_table(
        "sla_policies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("tiers", sa.JSON(), nullable=False),
        sa.Column("warn_percent", sa.BigInteger(), nullable=False),
        sa.Column("ladder", sa.JSON(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_sla_policies_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_policies")),
    )
    op.create_index("ix_sla_policies_shop", "sla_policies", ["shop_id", "id"], unique=False)
    op.create_table(
        "tags",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_tags_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("shop_id", "folded", name=op.f("uq_tags_shop_id_folded")),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("everyone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_teams_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
    )
    op.create_index("ix_teams_shop", "teams", ["shop_id", "id"], unique=False)
    op.create_table(
        "ticket_fields",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_ticket_fields_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_fields")),
    )
    op.create_index("ix_ticket_fields_shop", "ticket_fields", ["shop_id", "id"], unique=False)
    op.create_table(
        "topics",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("english", sa.Text(), nullable=False),
        sa.Column("offered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_topics_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topics")),
    )
    op.create_index("ix_topics_shop", "topics", ["shop_id", "id"], unique=False)
    op.create_table(
        "article_versions",
        sa.Column(
            "article_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title_vi", sa.Text(), nullable=False),
        sa.Column("body_vi", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("body_en", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_versions_article_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_article_versions_staff_id")),
        sa.PrimaryKeyConstraint("article_id", "version", name=op.f("pk_article_versions")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("purpose", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("messages_b", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("hold_out", sa.BigInteger(), nullable=False),
        sa.Column("send_at", sa.BigInteger(), nullable=True),
        sa.Column("best_hour", sa.Boolean(), nullable=False),
        sa.Column("program_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("pictures", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("buttons", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=True),
        sa.Column("proposed_at", sa.BigInteger(), nullable=True),
        sa.Column("refused_by", sa.Text(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column(
            "frozen_to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("frozen_at", sa.BigInteger(), nullable=True),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.Column("prices", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("paid", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["program_id"], ["voucher_programs.id"], name=op.f("fk_campaigns_program_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_campaigns_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
    )
    op.create_index(
        "ix_campaigns_running",
        "campaigns",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state IN ('approved', 'sending')"),
        postgresql_where=sa.text("state IN ('approved', 'sending')"),
    )
    op.create_index("ix_campaigns_shop", "campaigns", ["shop_id", "id"], unique=False)
    op.create_table(
        "care_tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("learnt", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["care_plans.id"], name=op.f("fk_care_tasks_plan_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_care_tasks_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_tasks")),
    )
    op.create_index("ix_care_tasks_customer", "care_tasks", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_care_tasks_due",
        "care_tasks",
        ["shop_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_care_tasks_one",
        "care_tasks",
        ["plan_id", "customer_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "incident_people",
        sa.Column("incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tell", sa.Text(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("ticket_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_incident_people_incident_id")),
        sa.PrimaryKeyConstraint("incident_id", "customer_id", name=op.f("pk_incident_people")),
    )
    op.create_index("ix_incident_people_customer", "incident_people", ["customer_id"], unique=False)
    op.create_index(
        "ix_incident_people_tell",
        "incident_people",
        ["tell"],
        unique=False,
        sqlite_where=sa.text("tell IS NOT NULL"),
        postgresql_where=sa.text("tell IS NOT NULL"),
    )
    op.create_index("ix_incident_people_ticket", "incident_people", ["ticket_id"], unique=False)
    op.create_table(
        "routing_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("tier_id", sa.BigInteger(), nullable=True),
        sa.Column("team_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_routing_rules_shop_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_routing_rules_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_rules")),
    )
    op.create_index("ix_routing_rules_shop", "routing_rules", ["shop_id", "place"], unique=False)
    op.create_table(
        "segment_members",
        sa.Column(
            "segment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.ForeignKeyConstraint(["segment_id"], ["segments.id"], name=op.f("fk_segment_members_segment_id")),
        sa.PrimaryKeyConstraint("segment_id", "customer_id", name=op.f("pk_segment_members")),
    )
    op.create_index(op.f("ix_segment_members_customer_id"), "segment_members", ["customer_id"], unique=False)
    op.create_table(
        "segment_uploads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("segment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("unmatched", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["segment_id"], ["segments.id"], name=op.f("fk_segment_uploads_segment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_uploads")),
    )
    op.create_index(op.f("ix_segment_uploads_segment_id"), "segment_uploads", ["segment_id"], unique=False)
    op.create_table(
        "team_members",
        sa.Column("team_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_team_members_staff_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id")),
        sa.PrimaryKeyConstraint("team_id", "staff_id", name=op.f("pk_team_members")),
    )
    op.create_index(op.f("ix_team_members_staff_id"), "team_members", ["staff_id"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rings_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_alerts_staff_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_alerts_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "ix_alerts_rings",
        "alerts",
        ["rings_at"],
        unique=False,
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.create_index("ix_alerts_staff", "alerts", ["staff_id", "at"], unique=False)
    op.create_index("ix_alerts_subject", "alerts", ["cause", "subject_id"], unique=False)
    op.create_table(
        "arrivals",
        sa.Column(
            "order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_arrivals_order_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_arrivals")),
    )
    op.create_table(
        "bought",
        sa.Column(
            "order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_bought_order_id")),
        sa.PrimaryKeyConstraint("order_id", "kind", "name", name=op.f("pk_bought")),
    )
    op.create_index("ix_bought_name", "bought", ["kind", "name", "order_id"], unique=False)
    op.create_table(
        "complaint_tries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_complaint_tries_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_tries")),
    )
    op.create_index(op.f("ix_complaint_tries_ticket_id"), "complaint_tries", ["ticket_id"], unique=False)
    op.create_table(
        "complaints",
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("judged", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("set_by", sa.BigInteger(), nullable=True),
        sa.Column("set_reason", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.Column("remedy_words", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("repeats", sa.BigInteger(), nullable=True),
        sa.Column("rated_ticket", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("responded_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("check_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_complaints_shop_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_complaints_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_complaints")),
        sa.UniqueConstraint("rated_ticket", name=op.f("uq_complaints_rated_ticket")),
    )
    op.create_index(
        "ix_complaints_due",
        "complaints",
        ["check_at"],
        unique=False,
        sqlite_where=sa.text("check_at IS NOT NULL"),
        postgresql_where=sa.text("check_at IS NOT NULL"),
    )
    op.create_index("ix_complaints_shop", "complaints", ["shop_id", "opened_at"], unique=False)
    op.create_table(
        "compliments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("stars", sa.BigInteger(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_compliments_shop_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_compliments_staff_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_compliments_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compliments")),
        sa.UniqueConstraint("ticket_id", "source", name=op.f("uq_compliments_ticket_id_source")),
    )
    op.create_index("ix_compliments_shop", "compliments", ["shop_id", "at"], unique=False)
    op.create_index(op.f("ix_compliments_staff_id"), "compliments", ["staff_id"], unique=False)
    op.create_table(
        "escalations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("rings_at", sa.BigInteger(), nullable=True),
        sa.Column("acked_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("acked_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["acked_by"], ["staff.id"], name=op.f("fk_escalations_acked_by")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_escalations_owner_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["sla_policies.id"], name=op.f("fk_escalations_policy_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_escalations_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalations")),
        sa.UniqueConstraint("cause", "subject_id", name=op.f("uq_escalations_cause_subject_id")),
    )
    op.create_index(
        "ix_escalations_rings",
        "escalations",
        ["rings_at"],
        unique=False,
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.create_index("ix_escalations_ticket", "escalations", ["ticket_id", "id"], unique=False)
    op.create_table(
        "goodwill",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("program_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("worth", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("voucher_id", sa.BigInteger(), nullable=True),
        sa.Column("back_by", sa.BigInteger(), nullable=True),
        sa.Column("back_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_goodwill_asked_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_goodwill_customer_id")),
        sa.ForeignKeyConstraint(["program_id"], ["voucher_programs.id"], name=op.f("fk_goodwill_program_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_goodwill_shop_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_goodwill_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goodwill")),
        sa.UniqueConstraint("key", name=op.f("uq_goodwill_key")),
    )
    op.create_index("ix_goodwill_asked", "goodwill", ["asked_by", "asked_at"], unique=False)
    op.create_index(op.f("ix_goodwill_customer_id"), "goodwill", ["customer_id"], unique=False)
    op.create_index("ix_goodwill_decided", "goodwill", ["decided_by", "decided_at"], unique=False)
    op.create_index(op.f("ix_goodwill_ticket_id"), "goodwill", ["ticket_id"], unique=False)
    op.create_index(
        "ix_goodwill_waiting",
        "goodwill",
        ["shop_id", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "macro_uses",
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("macro_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["macro_id"], ["macros.id"], name=op.f("fk_macro_uses_macro_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_macro_uses_staff_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_macro_uses_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", "key", name=op.f("pk_macro_uses")),
    )
    op.create_index(op.f("ix_macro_uses_macro_id"), "macro_uses", ["macro_id"], unique=False)
    op.create_table(
        "promises",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("made_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("reminded_at", sa.BigInteger(), nullable=True),
        sa.Column("missed_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("rings_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_promises_made_by")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_promises_owner_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_promises_shop_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_promises_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
        sa.UniqueConstraint("ticket_id", "key", name=op.f("uq_promises_ticket_id_key")),
    )
    op.create_index(
        "ix_promises_rings",
        "promises",
        ["rings_at"],
        unique=False,
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.create_index("ix_promises_shop", "promises", ["shop_id", "state", "due_at"], unique=False)
    op.create_index("ix_promises_ticket", "promises", ["ticket_id", "id"], unique=False)
    op.create_table(
        "rating_requests",
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("remind_at", sa.BigInteger(), nullable=True),
        sa.Column("reminded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_rating_requests_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_rating_requests")),
    )
    op.create_index(
        "ix_rating_requests_due",
        "rating_requests",
        ["remind_at"],
        unique=False,
        sqlite_where=sa.text("remind_at IS NOT NULL"),
        postgresql_where=sa.text("remind_at IS NOT NULL"),
    )
    op.create_table(
        "sla_clocks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("calendar_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tier_id", sa.BigInteger(), nullable=True),
        sa.Column("allowance", sa.BigInteger(), nullable=True),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("rings_at", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("breached_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_sla_clocks_calendar_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["sla_policies.id"], name=op.f("fk_sla_clocks_policy_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_sla_clocks_shop_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_sla_clocks_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_clocks")),
        sa.UniqueConstraint("ticket_id", "kind", "number", name=op.f("uq_sla_clocks_ticket_id_kind_number")),
    )
    op.create_index(
        "ix_sla_clocks_rings",
        "sla_clocks",
        ["rings_at"],
        unique=False,
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.create_index("ix_sla_clocks_shop", "sla_clocks", ["shop_id", "state", "calendar_id"], unique=False)
    op.create_index("ix_sla_clocks_ticket", "sla_clocks", ["ticket_id", "id"], unique=False)
    op.create_table(
        "surveys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("score", sa.BigInteger(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_surveys_customer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_surveys_order_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_surveys_shop_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_surveys_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surveys")),
        sa.UniqueConstraint("kind", "order_id", name=op.f("uq_surveys_kind_order_id")),
        sa.UniqueConstraint("kind", "ticket_id", name=op.f("uq_surveys_kind_ticket_id")),
    )
    op.create_index("ix_surveys_customer", "surveys", ["customer_id", "kind", "due_at"], unique=False)
    op.create_index(
        "ix_surveys_due",
        "surveys",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_surveys_shop", "surveys", ["shop_id", "kind", "asked_at"], unique=False)
    op.create_table(
        "ticket_drafts",
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_ticket_drafts_staff_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_drafts_ticket_id")),
        sa.PrimaryKeyConstraint("staff_id", "ticket_id", "kind", name=op.f("pk_ticket_drafts")),
    )
    op.create_index(op.f("ix_ticket_drafts_ticket_id"), "ticket_drafts", ["ticket_id"], unique=False)
    op.create_table(
        "ticket_field_values",
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "field_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["field_id"], ["ticket_fields.id"], name=op.f("fk_ticket_field_values_field_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_field_values_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", "field_id", name=op.f("pk_ticket_field_values")),
    )
    op.create_table(
        "ticket_looks",
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("typing_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_ticket_looks_shop_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_ticket_looks_staff_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_looks_ticket_id")),
        sa.PrimaryKeyConstraint("staff_id", "window", name=op.f("pk_ticket_looks")),
    )
    op.create_index("ix_ticket_looks_shop", "ticket_looks", ["shop_id", "until"], unique=False)
    op.create_index(op.f("ix_ticket_looks_ticket_id"), "ticket_looks", ["ticket_id"], unique=False)
    op.create_table(
        "ticket_tags",
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_ticket_tags_tag_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_tags_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", "tag_id", name=op.f("pk_ticket_tags")),
    )
    op.create_index("ix_ticket_tags_tag", "ticket_tags", ["tag_id", "ticket_id"], unique=False)
    op.create_table(
        "ticket_mentions",
        sa.Column(
            "message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["ticket_messages.id"], name=op.f("fk_ticket_mentions_message_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_ticket_mentions_staff_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_mentions_ticket_id")),
        sa.PrimaryKeyConstraint("message_id", "staff_id", name=op.f("pk_ticket_mentions")),
    )
    op.create_index("ix_ticket_mentions_staff", "ticket_mentions", ["staff_id", "ticket_id"], unique=False)
    op.create_index(op.f("ix_ticket_mentions_ticket_id"), "ticket_mentions", ["ticket_id"], unique=False)
    op.create_table(
        "ticket_places",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("chat", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["ticket_messages.id"], name=op.f("fk_ticket_places_message_id")),
        sa.PrimaryKeyConstraint("account", "chat", "message", name=op.f("pk_ticket_places")),
    )
    op.create_index(op.f("ix_ticket_places_message_id"), "ticket_places", ["message_id"], unique=False)
    op.add_column("adjustments", sa.Column("refusal", sa.Text(), nullable=True))
    op.add_column("customers", sa.Column("erased_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_customers_birthday",
        "customers",
        ["birthday"],
        unique=False,
        sqlite_where=sa.text("birthday IS NOT NULL"),
        postgresql_where=sa.text("birthday IS NOT NULL"),
    )
    op.add_column("media", sa.Column("ours", sa.Boolean(), nullable=True))
    op.drop_index(op.f("ix_orders_placed"), table_name="orders")
    op.create_index(
        "ix_orders_placed",
        "orders",
        ["shop_id", "placed_at", "customer_id", "status", "total", "refunded"],
        unique=False,
    )
    op.add_column("ticket_messages", sa.Column("reactions", sa.JSON(), nullable=True))
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
    op.add_column("webhooks", sa.Column("old_secret", sa.Text(), nullable=True))
    op.add_column("webhooks", sa.Column("old_until", sa.BigInteger(), nullable=True))

    # What was resolved before there were days to reopen in had seven.
    op.execute("UPDATE tickets SET closes_at = resolved_at + 604800000000 WHERE state = 'resolved'")

    # Pictures of offers, tiers and badges are the shop's own.
    for table, column in (("voucher_programs", "image"), ("tiers", "picture"), ("badges", "picture")):
        op.execute(f"UPDATE media SET ours = true WHERE sha IN (SELECT {column} FROM {table})")

    # What was in orders before is found by its names too, and how tickets stand is known of their customers.
    after = 0
    while True:
        rows = (
            op.get_bind()
            .execute(
                sa.text("SELECT id, CAST(items AS TEXT) AS items FROM orders WHERE id > :after ORDER BY id LIMIT 5000"),
                {"after": after},
            )
            .all()
        )
        named = [
            {"o": row.id, "k": kind, "n": name, "s": said}
            for row in rows
            for (kind, name), said in _names(json.loads(row.items)).items()
        ]
        if named:
            op.get_bind().execute(
                sa.text("INSERT INTO bought (order_id, kind, name, said) VALUES (:o, :k, :n, :s)"), named
            )
        if not rows:
            break
        after = rows[-1].id
    op.execute(
        "INSERT INTO facts (name, customer_id, value, at) SELECT 'open_tickets', customer_id, count(*), max(updated_at) "
        "FROM tickets WHERE state NOT IN ('resolved', 'closed') GROUP BY customer_id"
    )
    op.execute(
        "INSERT INTO facts (name, customer_id, value, at) SELECT 'last_rating', t.customer_id, r.stars, r.at FROM ratings r "
        "JOIN tickets t ON t.id = r.ticket_id WHERE NOT EXISTS (SELECT 1 FROM ratings r2 JOIN tickets t2 ON t2.id = r2.ticket_id "
        "WHERE t2.customer_id = t.customer_id AND (r2.at > r.at OR (r2.at = r.at AND r2.ticket_id > r.ticket_id)))"
    )

    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION search_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$ SELECT "
            r"strip(to_tsvector('simple', regexp_replace(said, '[\x01-/:-@\[-`{-\u00bf\u2000-\u2bff\u3000-\u303f\ufe00-\ufe0f\U0001f000-\U0001faff]+', ' ', 'g'))) $$"
        )
    for name, of, shop in (
        ("search_messages", "ticket_messages", "(SELECT shop_id FROM tickets WHERE id = {row}.ticket_id)"),
        ("search_tickets", "tickets", "{row}.shop_id"),
    ):
        columns = "folded, ticket_id" if of == "ticket_messages" else "folded"
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, shop_id bigint NOT NULL, words tsvector NOT NULL)")
            op.execute(f"CREATE INDEX ix_{name}_words ON {name} USING gin (words)")
            op.execute(
                f"CREATE FUNCTION {name}_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF TG_OP <> 'INSERT' THEN DELETE FROM {name} WHERE id = OLD.id; END IF; "
                f"IF TG_OP <> 'DELETE' AND NEW.folded <> '' THEN INSERT INTO {name} "
                f"VALUES (NEW.id, {shop.format(row='NEW')}, search_words(NEW.folded)); END IF; RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {name}_follow AFTER INSERT OR DELETE ON {of} FOR EACH ROW EXECUTE FUNCTION {name}_follow()"
            )
            changed = " OR ".join(f"OLD.{one} IS DISTINCT FROM NEW.{one}" for one in columns.split(", "))
            op.execute(
                f"CREATE TRIGGER {name}_change AFTER UPDATE OF {columns} ON {of} FOR EACH ROW WHEN ({changed}) "
                f"EXECUTE FUNCTION {name}_follow()"
            )
            op.execute(
                f"INSERT INTO {name} SELECT id, {shop.format(row=of)}, search_words(folded) FROM {of} WHERE folded <> ''"
            )
            continue
        op.execute(
            f"CREATE VIRTUAL TABLE {name} USING fts5(words, shop, content='', columnsize=0, detail=column, "
            "tokenize='unicode61 remove_diacritics 0')"
        )
        add, take = (
            f"INSERT INTO {name} ({kind}rowid, words, shop) SELECT {value}{row}.id, {row}.folded, {shop.format(row=row)} "
            f"WHERE {row}.folded <> '';"
            for kind, value, row in (("", "", "new"), (f"{name}, ", "'delete', ", "old"))
        )
        changed = " OR ".join(f"old.{one} IS NOT new.{one}" for one in columns.split(", "))
        for trigger, when, does in (
            ("add", "INSERT", add),
            ("take", "DELETE", take),
            ("change", f"UPDATE OF {columns}", f"{take} {add}"),
        ):
            only = f"WHEN {changed} " if trigger == "change" else ""
            op.execute(f"CREATE TRIGGER {name}_{trigger} AFTER {when} ON {of} {only}BEGIN {does} END")
        op.execute(
            f"INSERT INTO {name} (rowid, words, shop) SELECT id, folded, {shop.format(row=of)} FROM {of} WHERE folded <> ''"
        )


def downgrade() -> None:
    for name, of in (("search_messages", "ticket_messages"), ("search_tickets", "tickets")):
        if op.get_bind().dialect.name == "postgresql":
            for trigger in ("follow", "change"):
                op.execute(f"DROP TRIGGER {name}_{trigger} ON {of}")
            op.execute(f"DROP FUNCTION {name}_follow()")
        else:
            for trigger in ("add", "take", "change"):
                op.execute(f"DROP TRIGGER {name}_{trigger}")
        op.execute(f"DROP TABLE {name}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION search_words(text)")
    op.drop_column("webhooks", "old_until")
    op.drop_column("webhooks", "old_secret")
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
    op.drop_index("ix_orders_placed", table_name="orders")
    op.create_index(op.f("ix_orders_placed"), "orders", ["shop_id", "placed_at"], unique=False)
    op.drop_column("media", "ours")
    op.drop_index(
        "ix_customers_birthday",
        table_name="customers",
        sqlite_where=sa.text("birthday IS NOT NULL"),
        postgresql_where=sa.text("birthday IS NOT NULL"),
    )
    op.drop_column("customers", "erased_at")
    op.drop_column("adjustments", "refusal")
    op.drop_index(op.f("ix_ticket_places_message_id"), table_name="ticket_places")
    op.drop_table("ticket_places")
    op.drop_index(op.f("ix_ticket_mentions_ticket_id"), table_name="ticket_mentions")
    op.drop_index("ix_ticket_mentions_staff", table_name="ticket_mentions")
    op.drop_table("ticket_mentions")
    op.drop_index("ix_ticket_tags_tag", table_name="ticket_tags")
    op.drop_table("ticket_tags")
    op.drop_index(op.f("ix_ticket_looks_ticket_id"), table_name="ticket_looks")
    op.drop_index("ix_ticket_looks_shop", table_name="ticket_looks")
    op.drop_table("ticket_looks")
    op.drop_table("ticket_field_values")
    op.drop_index(op.f("ix_ticket_drafts_ticket_id"), table_name="ticket_drafts")
    op.drop_table("ticket_drafts")
    op.drop_index("ix_surveys_shop", table_name="surveys")
    op.drop_index(
        "ix_surveys_due",
        table_name="surveys",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index("ix_surveys_customer", table_name="surveys")
    op.drop_table("surveys")
    op.drop_index("ix_sla_clocks_ticket", table_name="sla_clocks")
    op.drop_index("ix_sla_clocks_shop", table_name="sla_clocks")
    op.drop_index(
        "ix_sla_clocks_rings",
        table_name="sla_clocks",
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.drop_table("sla_clocks")
    op.drop_index(
        "ix_rating_requests_due",
        table_name="rating_requests",
        sqlite_where=sa.text("remind_at IS NOT NULL"),
        postgresql_where=sa.text("remind_at IS NOT NULL"),
    )
    op.drop_table("rating_requests")
    op.drop_index("ix_promises_ticket", table_name="promises")
    op.drop_index("ix_promises_shop", table_name="promises")
    op.drop_index(
        "ix_promises_rings",
        table_name="promises",
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.drop_table("promises")
    op.drop_index(op.f("ix_macro_uses_macro_id"), table_name="macro_uses")
    op.drop_table("macro_uses")
    op.drop_index(
        "ix_goodwill_waiting",
        table_name="goodwill",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index(op.f("ix_goodwill_ticket_id"), table_name="goodwill")
    op.drop_index("ix_goodwill_decided", table_name="goodwill")
    op.drop_index(op.f("ix_goodwill_customer_id"), table_name="goodwill")
    op.drop_index("ix_goodwill_asked", table_name="goodwill")
    op.drop_table("goodwill")
    op.drop_index("ix_escalations_ticket", table_name="escalations")
    op.drop_index(
        "ix_escalations_rings",
        table_name="escalations",
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.drop_table("escalations")
    op.drop_index(op.f("ix_compliments_staff_id"), table_name="compliments")
    op.drop_index("ix_compliments_shop", table_name="compliments")
    op.drop_table("compliments")
    op.drop_index("ix_complaints_shop", table_name="complaints")
    op.drop_index(
        "ix_complaints_due",
        table_name="complaints",
        sqlite_where=sa.text("check_at IS NOT NULL"),
        postgresql_where=sa.text("check_at IS NOT NULL"),
    )
    op.drop_table("complaints")
    op.drop_index(op.f("ix_complaint_tries_ticket_id"), table_name="complaint_tries")
    op.drop_table("complaint_tries")
    op.drop_index("ix_bought_name", table_name="bought")
    op.drop_table("bought")
    op.drop_table("arrivals")
    op.drop_index("ix_alerts_subject", table_name="alerts")
    op.drop_index("ix_alerts_staff", table_name="alerts")
    op.drop_index(
        "ix_alerts_rings",
        table_name="alerts",
        sqlite_where=sa.text("rings_at IS NOT NULL"),
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.drop_table("alerts")
    op.drop_index(op.f("ix_team_members_staff_id"), table_name="team_members")
    op.drop_table("team_members")
    op.drop_index(op.f("ix_segment_uploads_segment_id"), table_name="segment_uploads")
    op.drop_table("segment_uploads")
    op.drop_index(op.f("ix_segment_members_customer_id"), table_name="segment_members")
    op.drop_table("segment_members")
    op.drop_index("ix_routing_rules_shop", table_name="routing_rules")
    op.drop_table("routing_rules")
    op.drop_index("ix_incident_people_ticket", table_name="incident_people")
    op.drop_index(
        "ix_incident_people_tell",
        table_name="incident_people",
        sqlite_where=sa.text("tell IS NOT NULL"),
        postgresql_where=sa.text("tell IS NOT NULL"),
    )
    op.drop_index("ix_incident_people_customer", table_name="incident_people")
    op.drop_table("incident_people")
    op.drop_index(
        "ix_care_tasks_one",
        table_name="care_tasks",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index(
        "ix_care_tasks_due",
        table_name="care_tasks",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index("ix_care_tasks_customer", table_name="care_tasks")
    op.drop_table("care_tasks")
    op.drop_index("ix_campaigns_shop", table_name="campaigns")
    op.drop_index(
        "ix_campaigns_running",
        table_name="campaigns",
        sqlite_where=sa.text("state IN ('approved', 'sending')"),
        postgresql_where=sa.text("state IN ('approved', 'sending')"),
    )
    op.drop_table("campaigns")
    op.drop_table("article_versions")
    op.drop_index("ix_topics_shop", table_name="topics")
    op.drop_table("topics")
    op.drop_index("ix_ticket_fields_shop", table_name="ticket_fields")
    op.drop_table("ticket_fields")
    op.drop_index("ix_teams_shop", table_name="teams")
    op.drop_table("teams")
    op.drop_table("tags")
    op.drop_index("ix_sla_policies_shop", table_name="sla_policies")
    op.drop_table("sla_policies")
    op.drop_table("segments")
    op.drop_index("ix_saved_views_staff", table_name="saved_views")
    op.drop_index("ix_saved_views_shared", table_name="saved_views")
    op.drop_table("saved_views")
    op.drop_index("ix_macros_shop", table_name="macros")
    op.drop_table("macros")
    op.drop_index(
        "ix_journeys_on", table_name="journeys", sqlite_where=sa.text('"on"'), postgresql_where=sa.text('"on"')
    )
    op.drop_table("journeys")
    op.drop_index(
        "ix_journey_tasks_open",
        table_name="journey_tasks",
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.drop_index("ix_journey_tasks_customer", table_name="journey_tasks")
    op.drop_table("journey_tasks")
    op.drop_index("ix_incidents_shop", table_name="incidents")
    op.drop_table("incidents")
    op.drop_table("feedback_terms")
    op.drop_table("digests")
    op.drop_table("desks")
    op.drop_index(
        "ix_desk_presence_leave_at",
        table_name="desk_presence",
        sqlite_where=sa.text("leave_at IS NOT NULL"),
        postgresql_where=sa.text("leave_at IS NOT NULL"),
    )
    op.drop_table("desk_presence")
    op.drop_table("desk_agents")
    op.drop_table("complaint_terms")
    op.drop_index("ix_care_plans_shop", table_name="care_plans")
    op.drop_table("care_plans")
    op.drop_index("ix_calendars_shop", table_name="calendars")
    op.drop_table("calendars")
    op.drop_table("calendar_recounts")
    op.drop_index(op.f("ix_articles_shop_id"), table_name="articles")
    op.drop_table("articles")
    op.drop_index(op.f("ix_ticket_links_other_id"), table_name="ticket_links")
    op.drop_table("ticket_links")
    op.drop_index("ix_routing_wakes_at", table_name="routing_wakes")
    op.drop_table("routing_wakes")
    op.drop_index("ix_questions_shop", table_name="questions")
    op.drop_index("ix_questions_customer", table_name="questions")
    op.drop_index("ix_questions_article", table_name="questions")
    op.drop_table("questions")
    op.drop_table("outlooks")
    op.drop_index(op.f("ix_links_delivery_id"), table_name="links")
    op.drop_table("links")
    op.drop_table("kept_reports")
    op.drop_index(
        "ix_journey_runs_due",
        table_name="journey_runs",
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.drop_index("ix_journey_runs_customer", table_name="journey_runs")
    op.drop_table("journey_runs")
    op.drop_table("journey_entries")
    op.drop_index("ix_inactive_customers_due", table_name="inactive_customers")
    op.drop_table("inactive_customers")
    op.drop_index(
        "ix_forum_topics_undressed",
        table_name="forum_topics",
        sqlite_where=sa.text("undressed_at IS NOT NULL"),
        postgresql_where=sa.text("undressed_at IS NOT NULL"),
    )
    op.drop_index("ix_forum_topics_thread", table_name="forum_topics")
    op.drop_index(
        "ix_forum_topics_behind",
        table_name="forum_topics",
        sqlite_where=sa.text("behind_at IS NOT NULL"),
        postgresql_where=sa.text("behind_at IS NOT NULL"),
    )
    op.drop_table("forum_topics")
    op.drop_index("ix_forum_posts_ticket", table_name="forum_posts")
    op.drop_index(
        "ix_forum_posts_queued",
        table_name="forum_posts",
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.drop_index("ix_forum_posts_number", table_name="forum_posts")
    op.drop_index("ix_forum_posts_call", table_name="forum_posts")
    op.drop_table("forum_posts")
    op.drop_table("forum_desks")
    op.drop_table("facts")
    op.drop_index("ix_erasures_shop", table_name="erasures")
    op.drop_index(
        "ix_erasures_due",
        table_name="erasures",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index(
        "ix_erasures_customer",
        table_name="erasures",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_table("erasures")
    op.drop_table("do_not_call")
    op.drop_index(
        "ix_deliveries_queued",
        table_name="deliveries",
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.drop_index(
        "ix_deliveries_planned",
        table_name="deliveries",
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.drop_index(
        "ix_deliveries_left",
        table_name="deliveries",
        sqlite_where=sa.text("left_at IS NOT NULL"),
        postgresql_where=sa.text("left_at IS NOT NULL"),
    )
    op.drop_table("deliveries")
    op.drop_index("ix_data_copies_customer", table_name="data_copies")
    op.drop_table("data_copies")
    op.drop_index("ix_consents_customer_id", table_name="consents")
    op.drop_table("consents")
    op.drop_table("closed_answers")
    op.drop_table("accesses")
