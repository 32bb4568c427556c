"""What a mention can be filtered by, as tags beside its words in PostgreSQL's text index: `type:safety`, `platform:reddit`.

So a search with filters is answered by one index, whichever of its parts is the rare one; see docs/decisions/0008. SQLite's index
gives its hits in the order of the ids and needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, literal_column
from sqlalchemy.dialects.postgresql import ARRAY

from monitor.store.filters import Filters
from monitor.words import Judgement, Post

_TAGS: ColumnElement[Any] = literal_column("mention_search.tags", ARRAY(Text))


def tags_of(post: Post, judgement: Judgement, watch: Sequence[str] = ()) -> list[str]:
    """The tags of a judged post that speaks of these names of the watchlist.

    Whoever changes what they are made of, in the record, changes them too.
    """
    tags = {f"platform:{post.platform}", f"source:{post.source}", *(f"watch:{name}" for name in watch)}
    for one in judgement.claims:
        tags |= {f"type:{one.type}", f"verdict:{one.verdict}", f"stance:{one.stance}", f"claim:{one.claim_id}"}
    return sorted(tags)


def tagged(filters: Filters) -> list[ColumnElement[bool]]:
    """A condition on `mention_search` for each filter that can be asked of tags."""
    return [
        _TAGS.overlap([f"{name}:{value}" for value in values])
        for name, values in (
            ("type", filters.type),
            ("verdict", filters.verdict),
            ("stance", filters.stance),
            ("claim", filters.claim),
            ("platform", filters.platform),
            ("source", filters.source),
            ("watch", filters.watch),
        )
        if values
    ]
