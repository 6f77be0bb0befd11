"""What the audit's lines say, in words: what was done, and of what."""

from handlers.words import Words


def action(said: Words, name: str) -> str:
    """What was done; what has no words here (another version's) is told by its own."""
    return actions(said).get(name) or plain(name)


def field(said: Words, name: str) -> str:
    """What it was done to, or what changed."""
    return fields(said).get(name) or plain(name)


def plain(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ").replace(".", " ")


def actions(said: Words) -> dict[str, str]:
    """Every kind of line."""
    return {
        "demo.seed": said("made the demo shop"), "shop_changed": said("changed the shop's settings"), "programme_changed": said("changed the programme"),
        "offer_added": said("made an offer"), "offer_changed": said("changed an offer"), "offer_hide": said("hid an offer"),
        "offer_show": said("showed an offer"), "offer_end": said("ended an offer"), "offer_reopen": said("reopened an offer"),
        "offer_link": said("made a link to an offer"), "voucher_given": said("gave a voucher"),
        "staff_added": said("took somebody on"), "staff_removed": said("removed somebody"),
        "staff_link": said("made new links for a colleague"), "api_key_added": said("made an API key"),
        "api_key_revoked": said("revoked an API key"), "points_adjusted": said("changed points by hand"),
        "sale_undone": said("took back an entry at the till"), "customer.erase": said("erased a customer"),
        "care_plan_added": said("made a care plan"), "care_plan_changed": said("changed a care plan"),
        "care_plan_joined": said("took customers into a care plan"), "incident_opened": said("opened an incident"),
        "incident_closed": said("closed an incident"), "customer_seen": said("looked at a customer"), "customer_copied": said("took a copy of a customer's data"),
        "erasure_asked": said("asked that a customer be forgotten"),
        "erasure_answered": said("told a customer when they will be forgotten"),
        "erasure_withdrawn": said("took an erasure back"), "consent_recorded": said("wrote down a customer's consent"),
        "retention_changed": said("changed how long things are kept"),
        "retention_pruned": said("threw away what was past its time"),
        "import.orders": said("imported orders"), "import.customers": said("imported customers"),
        "import_started": said("started an import"), "import_stop": said("stopped an import"),
        "import_discard": said("threw a file away"), "webhook_added": said("added a webhook"),
        "webhook_changed": said("changed a webhook"), "webhook_removed": said("removed a webhook"),
        "plan_changed": said("changed how points are earned"), "tier_rules_changed": said("changed the tiers' rules"),
        "tier_changed": said("changed a tier"), "referral_terms_changed": said("changed the invitations' terms"),
        "code_added": said("added a code for everybody"), "code_stopped": said("stopped a code"),
        "webhook_secret": said("made a new secret for a webhook"), "token_changed": said("connected a bot"),
        "forum_bound": said("chose the team's group"), "shop.add": said("opened a shop"), "staff.add": said("took somebody on"),
        "staff.remove": said("removed somebody"), "apikey.create": said("made an API key"), "restore": said("restored a backup"),
        "shift_closed": said("closed a shift"), "points_adjustment_asked": said("asked for a change of points"),
        "points_adjustment_approved": said("approved a change of points"),
        "points_adjustment_refused": said("refused a change of points"), "wallet_topped_up": said("topped the wallet up"),
        "phone_confirmed": said("confirmed a customer's phone number"),
        "customers_merged": said("made two customers one"),
        "phone_changed": said("changed a customer's phone number"),
        "order_attached": said("gave an order to a customer"), "order_entered": said("entered a missing order"),
        "offer_image": said("changed an offer's picture"), "vouchers_given": said("made vouchers to hand out"),
        "codes_begun": said("began a batch of codes"), "codes_uploaded": said("took in a list of codes"),
        "codes_stop": said("stopped a batch of codes"), "codes_resume": said("let a batch of codes go on"),
        "campaign_added": said("made a campaign"), "campaign_approved": said("approved a campaign"),
        "campaign_changed": said("changed a campaign"), "campaign_discarded": said("threw a campaign's draft away"),
        "campaign_retried": said("tried a campaign again where it failed"), "campaign_tested": said("sent a campaign to themselves"),
        "campaigns_changed": said("changed how campaigns are approved"), "campaign_proposed": said("asked for a campaign's approval"),
        "campaign_draft": said("took a campaign back to its draft"), "campaign_sending": said("let a campaign go on"), "campaign_paused": said("paused a campaign"),
        "campaign_stopped": said("stopped a campaign"), "journey_added": said("made a journey"),
        "journey_changed": said("changed a journey"), "journey_switched": said("switched a journey on or off"),
        "journey_removed": said("removed a journey"), "journey_task_settled": said("said how a journey's task stands"),
        "referral_allowed": said("allowed an invitation"), "referral_refused": said("refused an invitation"),
        "draw_added": said("made a lucky draw"), "draw_changed": said("changed a lucky draw"),
        "draw_removed": said("threw a lucky draw away"), "draw_open": said("opened a lucky draw"),
        "draw_closed": said("closed a lucky draw"), "prize_tried": said("tried to hand out a prize again"),
        "prize_handed": said("handed out a prize"), "quest_added": said("made a quest"),
        "quest_changed": said("changed a quest"), "badge_added": said("made a badge"),
        "badge_changed": said("changed a badge"), "badge_given": said("gave a badge"),
        "surprise_added": said("made a surprise"), "surprise_ended": said("ended a surprise"),
        "thank_card_sent": said("sent a thank-you card"), "thank_card_skipped": said("skipped a thank-you card"),
        "thank_rule_added": said("made a rule for thank-you cards"),
        "thank_rule_removed": said("removed a rule for thank-you cards"),
        "thank_task_added": said("asked for a thank-you card"),
        "streak_changed": said("changed how streaks are counted"), "hours_changed": said("changed the opening hours"),
        "deadlines_changed": said("changed the times to answer by"), "article_created": said("wrote an article"),
        "article_saved": said("changed an article"), "article_discarded": said("threw an article away"),
        "article_shown": said("published an article, or took it back"), "macro_created": said("made a macro"),
        "macro_changed": said("changed a macro"), "macro_removed": said("removed a macro"),
        "message_deleted": said("deleted a message"), "complaint_level": said("changed a complaint's level"),
        "complaint_unmarked": said("found that a request is no complaint"),
        "complaint_terms": said("changed how complaints are handled"),
        "desk_changed": said("changed the desk's settings"),
        "feedback_terms": said("changed how opinions are asked for"),
        "field_added": said("added a field for requests"), "field_changed": said("changed a field for requests"),
        "agent_changed": said("changed what somebody works on"),
        "routing_rules_changed": said("changed how requests are handed out"), "team": said("changed a team"),
        "segment_added": said("made a group of customers"), "segment_changed": said("changed a group of customers"),
        "segment_removed": said("took a group of customers out"),
        "topic_added": said("added a topic"), "topic_changed": said("changed a topic"),
        "view_shared": said("shared a view of the desk"), "view_changed": said("changed a shared view of the desk"),
        "view_removed": said("removed a shared view of the desk"),
    }  # fmt: skip


def fields(said: Words) -> dict[str, str]:
    """Every fact and setting that a line names."""
    return {
        "program": said("offer"), "place": said("place"), "plan": said("plan"), "way": said("how"), "every_days": said("every … days"),
        "owner_id": said("who does it"), "incident": said("incident"), "purpose": said("purpose"), "words": said("words"),
        "files": said("files"), "chats": said("chats"), "batch": said("batch"), "wanted": said("codes wanted"), "voucher": said("voucher"),
        "customer": said("customer"), "issued": said("given out"), "state": said("state"), "name": said("name"),
        "kind": said("kind"), "value": said("value"), "cap": said("at most"), "min_order": said("smallest bill"),
        "stock": said("how many"), "per_customer": said("per customer"), "price_points": said("price in points"),
        "starts_at": said("from"), "ends_at": said("until"), "hidden": said("hidden"),
        "valid_days": said("days to use it"), "items": said("items"), "categories": said("categories"),
        "times": said("how many are free"), "weekdays": said("weekdays"), "from_minute": said("from the hour"),
        "until_minute": said("until the hour"), "from_time": said("from the hour"),
        "until_time": said("until the hour"), "per_day": said("uses a day"),
        "per_customer_day": said("uses a day for each customer"), "budget": said("budget"),
        "stacks": said("together with"), "stacks_with": said("together with these offers"),
        "returns": said("comes back"), "branches": said("shops"), "image": said("picture"),
        "shared_code": said("code for everybody"), "code": said("code"), "url": said("address"),
        "kinds": said("what it is told"), "webhook": said("webhook"), "note": said("note"),
        "off": said("switched off"), "on": said("switched on"), "job": said("import"), "what": said("what"),
        "rows": said("rows"), "version": said("version"), "tier": said("tier"), "threshold": said("reached at"),
        "keep": said("kept from"), "measure": said("counted"), "window": said("over"), "falling": said("falling"),
        "grace_days": said("days of grace"), "notice_days": said("days of notice"),
        "multiplier": said("points multiplier"), "price_cut": said("off the points price"),
        "price_list": said("own prices"), "description": said("description"), "priority": said("priority"),
        "staff": said("colleague"), "role": said("role"), "key": said("key"), "order": said("order"),
        "total": said("total"), "amount": said("amount"), "points": said("points"), "reason": said("reason"),
        "adjustment": said("change"), "asked_by": said("asked by"), "paid": said("taken in"), "sales": said("sales"),
        "counted": said("counted in the drawer"), "phone": said("phone"), "gone": said("merged customer"),
        "before": said("before"), "after": said("after"), "before_gone": said("merged customer before"),
        "was_verified": said("was confirmed"), "referral": said("invitation"), "draw": said("lucky draw"),
        "assured": said("what was seen to"), "seed_sha256": said("fingerprint of the seed"), "quest": said("quest"),
        "badge": said("badge"), "surprise": said("surprise"), "happens": said("when"), "n": said("number"),
        "prize": said("prize"), "win": said("win"), "task": said("task"), "unit": said("counted in"),
        "about": said("about"), "icon": said("picture"), "target": said("goal"), "names": said("items"),
        "active": said("in use"), "language": said("language"), "timezone": said("time zone"),
        "brand": said("colour"), "address": said("address"), "hours": said("hours"),
        "return_days": said("days to return"), "expiry_months": said("months until points expire"),
        "point_value": said("what a point pays"), "gift_points": said("points a day as gifts"),
        "gift_count": said("gifts a day"), "undo_minutes": said("minutes to take a sale back"),
        "second_approval": said("second approval"), "adjust_manager": said("a manager's limit"),
        "refund_policy": said("when returned points were spent"), "chat": said("group"), "username": said("bot"),
        "segment": said("customer group"), "discount": said("discount"), "payment_terms": said("payment"), "notes": said("notes"), "criteria": said("conditions"),
        "campaign": said("campaign"), "journey": said("journey"), "ticket": said("request"),
        "message": said("message"), "goodwill": said("goodwill"), "article": said("article"), "title": said("title"),
        "published": said("published"), "macro": said("macro"), "field": said("field"), "team": said("team"),
        "topic": said("topic"), "view": said("view"), "level": said("level"), "daily_limit": said("friends a day"),
        "referrer": said("for who invites"), "friend": said("for the friend"), "hint": said("key"),
        "when_out": said("when prizes run out"), "prizes": said("prizes"), "entry_by": said("an entry for"),
        "entry_per": said("for every"), "tickets": said("tickets"), "mode": said("how it is drawn"),
        "every": said("how often"), "gift_program": said("gift on reaching it"),
    }  # fmt: skip
