"""What would let an occurrence raise an alert, in SQL: for the dry run, which asks it of all history at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, and_, case, func, literal, literal_column, select

from monitor.store.recount import putting_forward
from monitor.store.reviews import FOR_GOOD
from monitor.store.tables import review


def alerting(one: Any) -> ColumnElement[bool]:
    """`Occurrence.alerting` of a row of the table `occurrence`."""
    return and_(one.c.verdict != "supported", putting_forward(one))


def qualifies(one: Any, post: Any, silence: CTE, min_confidence: float) -> ColumnElement[bool]:
    """Whether an occurrence would raise its claim, were it the first: `is_sure` and what stands before it, in SQL."""
    at_ms = heard_ms(one.c.mention_id)
    of_claim = silence.c.claim_id == one.c.claim_id
    silent = select(1).where(of_claim, silence.c.from_ms <= at_ms, at_ms < silence.c.to_ms).correlate(one)
    return and_(alerting(one), one.c.confidence >= min_confidence, post.c.fresh, ~silent.exists())


def heard_ms(number: Any) -> Any:
    # Ids hold the time of arrival in their upper bits.
    return number.op("/", return_type=BigInteger)(literal_column(str(1 << 21)))


def silence_of_claims() -> CTE:
    """When claims were silent (claim id, from and until, the latter exclusive): dismissed, or muted."""
    mutes = review.c.action.in_(["mute", "unmute"])
    following = func.lead(review.c.at_ms).over(partition_by=(review.c.claim_id, mutes), order_by=review.c.id)
    said = (
        select(
            review.c.claim_id,
            review.c.action,
            review.c.at_ms.label("from_ms"),
            func.coalesce(following, literal(FOR_GOOD, BigInteger)).label("next_ms"),
            func.coalesce(review.c.until_ms, literal(FOR_GOOD, BigInteger)).label("until_ms"),
        )
        .where(review.c.action.in_(["dismiss", "confirm", "reopen", "mute", "unmute"]))
        .where(review.c.detail["mentions"].as_string().is_(None))  # else single mentions were confirmed
        .subquery()
    )
    ends: Select[Any] = select(
        said.c.claim_id,
        said.c.from_ms,
        case((said.c.next_ms < said.c.until_ms, said.c.next_ms), else_=said.c.until_ms).label("to_ms"),
    ).where(said.c.action.in_(["dismiss", "mute"]))
    return ends.cte("silence")
