"""The desk in full, and outreach: routing, promises, complaints, articles, segments, campaigns, journeys."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
        "desks",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("reopen_days", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_desks_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_desks")),
    )
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
    op.add_column("customers", sa.Column("erased_at", sa.BigInteger(), nullable=True))
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

    # What was resolved before there were days to reopen in had seven.
    op.execute("UPDATE tickets SET closes_at = resolved_at + 604800000000 WHERE state = 'resolved'")


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
    op.drop_column("customers", "erased_at")
    op.drop_index(op.f("ix_ticket_mentions_ticket_id"), table_name="ticket_mentions")
    op.drop_index("ix_ticket_mentions_staff", table_name="ticket_mentions")
    op.drop_table("ticket_mentions")
    op.drop_index(op.f("ix_ticket_looks_ticket_id"), table_name="ticket_looks")
    op.drop_index("ix_ticket_looks_shop", table_name="ticket_looks")
    op.drop_table("ticket_looks")
    op.drop_table("article_versions")
    op.drop_index("ix_topics_shop", table_name="topics")
    op.drop_table("topics")
    op.drop_table("desks")
    op.drop_index("ix_calendars_shop", table_name="calendars")
    op.drop_table("calendars")
    op.drop_index(op.f("ix_articles_shop_id"), table_name="articles")
    op.drop_table("articles")
    op.drop_index(op.f("ix_ticket_links_other_id"), table_name="ticket_links")
    op.drop_table("ticket_links")
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
