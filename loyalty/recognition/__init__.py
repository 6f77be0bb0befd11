"""Recognition: what says thank you beyond points. Streaks, badges, quests, lucky draws, surprises and thank-you cards.

All of it belongs to a shop, is off until the shop sets it up, and hears of orders by `order_settled`, which
`loyalty.orders.orders.settle` calls at its end.
"""

from loyalty.recognition import badges, drawlog, entries, prizes, progress, surprises, thanks, wins
from loyalty.recognition.hearing import on, order_settled
from loyalty.recognition.keeping import forget, record

MOVES = (progress.move, badges.move, wins.move, entries.move, thanks.move)
"""What goes along in a merge."""
PROOFS = (prizes.check, wins.check, drawlog.check, entries.check, surprises.check)
"""What `regulars check` proves of it."""

__all__ = ["MOVES", "PROOFS", "forget", "on", "order_settled", "record"]
