"""Reads mentions back: one, or a page of them, newest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, column, func, literal_column, select, table, true
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.store import registers, search
from monitor.store.authors import shown_author
from monitor.store.filters import Filters, make_cursor, mention_key, number_range
from monitor.store.merged import of_present
from monitor.store.tables import claim, mention, mention_text, mention_watch, occurrence
from monitor.store.tags import tagged
from monitor.times import rfc3339
from monitor.words import Mention, Occurrence, Page, why

Joined = Literal["sure", "maybe", "by review"]  # how an occurrence came to its claim; maybe: as the likeliest

# Made once: to put these together for a page or a batch takes longer than to run them.
_NUMBERS: BindParameter[int] = bindparam("numbers", expanding=True)
_MENTIONS = (
    select(mention, mention_text.c.text)
    .join(mention_text, mention_text.c.mention_id == mention.c.id, isouter=True)
    .where(mention.c.id.in_(_NUMBERS))
)
_NAMES = select(mention_watch).where(mention_watch.c.mention_id.in_(_NUMBERS)).order_by(mention_watch.c.name)
_OCCURRENCES = (
    select(
        *(occurrence.c.mention_id, occurrence.c.start, occurrence.c.end, occurrence.c.type, occurrence.c.stance),
        *(occurrence.c.distance, occurrence.c.testimonial, occurrence.c.claim_id, occurrence.c.verdict, occurrence.c.verdicts),
        *(occurrence.c.basis, occurrence.c.confidence, occurrence.c.why, occurrence.c.sure, occurrence.c.found_as),
        *(claim.c.claim, claim.c.evidence, claim.c.ruling),
    )
    .join(claim, claim.c.id == occurrence.c.claim_id)
    .where(occurrence.c.mention_id.in_(_NUMBERS))
    .order_by(occurrence.c.mention_id, occurrence.c.n)
)

_LOOKED_AT = 5_000
_FAR = 10  # a row that the text index points to, anywhere in the table, costs as much as so many that are walked past


async def page(connection: AsyncConnection, filters: Filters) -> Page[Mention]:
    """The mentions that pass the filters, newest first. Raises FilterError for a cursor of another list."""
    filters = await of_present(connection, filters)
    rare = connection.dialect.name == "postgresql" and bool(filters.text) and await _are_hits_rare(connection, filters)
    numbers = list((await connection.execute(_numbers(connection.dialect.name, filters, rare=rare))).scalars())
    items = await load(connection, numbers[: filters.limit])
    more = len(numbers) > filters.limit
    return Page(items=items, next=make_cursor(numbers[filters.limit - 1]) if more else None)


async def on_record(connection: AsyncConnection, posts: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the posts (platform, its id there) that are on record with their text."""
    found: set[tuple[str, str]] = set()
    for platform in sorted({platform for platform, _ in posts}):
        ids = [id_ for at, id_ in posts if at == platform]
        which = (mention.c.platform == platform, mention.c.platform_id.in_(ids), mention.c.state.in_(("live", "edited")))
        found |= {(platform, id_) for id_ in (await connection.execute(select(mention.c.platform_id).where(*which))).scalars()}
    return found


async def find(connection: AsyncConnection, name: str) -> Mention | None:
    """The mention with this id (exowatch's own, or `platform:id`), or None."""
    key = mention_key(name)
    if isinstance(key, tuple):
        where = (mention.c.platform == key[0]) & (mention.c.platform_id == key[1])
        key = (await connection.execute(select(mention.c.id).where(where))).scalar()
    found = await load(connection, [key]) if key is not None else []
    return found[0] if found else None


async def load(connection: AsyncConnection, numbers: Sequence[int]) -> list[Mention]:
    """The mentions with these stored ids, in that order; those that are not there are left out."""
    if not numbers:
        return []
    rows = await connection.execute(_MENTIONS, {"numbers": numbers})
    by_number = {row.id: row for row in rows.all()}
    claims = await _occurrences(connection, {number: row.text for number, row in by_number.items()})
    watch = await _names(connection, list(by_number))
    force = await registers.in_force(connection)
    held = force.version if force is not None and force.held else None  # whatever a mention was read by
    return [
        _mention(by_number[number], claims.get(number, ()), watch.get(number, ()), held)
        for number in numbers
        if number in by_number
    ]


async def joined(connection: AsyncConnection, numbers: Sequence[int]) -> dict[tuple[str, int], Joined]:
    """How the occurrences of these mentions (stored ids) came to their claims, by (public id, place among the claims there)."""
    wanted = (occurrence.c.mention_id, occurrence.c.n, occurrence.c.sure, occurrence.c.found_as)
    rows = await connection.execute(select(*wanted).where(occurrence.c.mention_id.in_(numbers)))
    return {
        (public_id("m", row.mention_id), row.n): "by review" if row.found_as is not None else "sure" if row.sure else "maybe"
        for row in rows
    }


async def _are_hits_rare(connection: AsyncConnection, filters: Filters) -> bool:
    """Whether to take all hits from the text index costs less than to walk from the newest on until a page is full.

    A look at the newest says how common hits are. PostgreSQL itself knows that of the most common words only, and takes what is
    asked together for independent.
    """
    low, high = number_range(filters)
    index = table("mention_search", column("id"), column("words"), column("tags"))
    newest = (
        select(index.c.words, index.c.tags)
        .where(index.c.id >= low, index.c.id < high)
        .order_by(index.c.id.desc())
        .limit(_LOOKED_AT)
        .subquery("mention_search")
    )
    wanted = and_(search.search_clause("postgresql", filters.text), *tagged(filters))
    everywhere: ColumnElement[float] = literal_column("(SELECT reltuples FROM pg_class WHERE oid = 'mention_search'::regclass)")
    look = select(func.count(), func.count().filter(wanted), everywhere).select_from(newest)
    looked_at, hits, stored = (await connection.execute(look)).one()
    if looked_at < _LOOKED_AT:  # there are no more: a short walk
        return False
    share = hits / looked_at
    return share == 0 or bool(_FAR * share * max(stored, looked_at) < filters.limit / share)


def _numbers(dialect: str, filters: Filters, *, rare: bool) -> Select[Any]:
    """The ids of a page and one more."""
    query, number = matching(dialect, filters, rare=rare)
    return query.order_by(number.desc()).limit(filters.limit + 1)


def matching(dialect: str, filters: Filters, *, rare: bool = False) -> tuple[Select[Any], Any]:
    """The ids of all mentions that pass the filters, unordered, and the column that they come from.

    What is asked for decides where the walk goes: the text index, the watched names, the claims, or the mentions. Each of them
    can be walked in the order of the ids, so none has to be sorted; see docs/decisions/0004-time-ordered-ids.md. With `rare`
    (PostgreSQL) all hits are taken from the text index first.
    """
    low, high = number_range(filters)
    number: Any
    if filters.text and dialect == "postgresql":
        query, number = _by_words_and_tags(filters, rare=rare)
    elif filters.text:
        number = search.search_rowid(dialect)
        query = _saying(dialect, filters).where(*_carrying(number, filters), *_heard(number, filters), *_naming(number, filters))
    elif filters.watch:
        # Names are rarer than anything that claims are asked for.
        number = mention_watch.c.mention_id
        named = mention_watch.c.name.in_(filters.watch)
        query = select(number).distinct().where(named, *_carrying(number, filters), *_heard(number, filters))
    elif filters.of_occurrence:
        number = occurrence.c.mention_id
        query = select(number).distinct().where(of_occurrence(filters), *_heard(number, filters))
    else:
        number = mention.c.id
        query = select(number).where(_of_mention(filters))
    return query.where(number >= low, number < high), number


def of_occurrence(filters: Filters) -> ColumnElement[bool]:
    """What the filters ask of an occurrence."""
    asked = _among(
        (occurrence.c.type, filters.type),
        (occurrence.c.verdict, filters.verdict),
        (occurrence.c.stance, filters.stance),
        (occurrence.c.claim_id, filters.claim),
    )
    return and_(asked, ~occurrence.c.sure) if filters.doubtful else asked


def _of_mention(filters: Filters) -> ColumnElement[bool]:
    return _among((mention.c.platform, filters.platform), (mention.c.source, filters.source))


def _among(*wanted: tuple[Any, tuple[str, ...]]) -> ColumnElement[bool]:
    return and_(true(), *(column.in_(values) for column, values in wanted if values))


def _saying(dialect: str, filters: Filters) -> Select[Any]:
    number = search.search_rowid(dialect).label("id")
    return select(number).select_from(table("mention_search")).where(search.search_clause(dialect, filters.text))


def _by_words_and_tags(filters: Filters, *, rare: bool) -> tuple[Select[Any], Any]:
    """On PostgreSQL: what the text index alone finds, and where claims are asked for more than one thing, a look at them."""
    low, high = number_range(filters)
    number: Any = search.search_rowid("postgresql")
    query = _saying("postgresql", filters).where(*tagged(filters))
    if rare:
        hits = query.where(number >= low, number < high).cte("hits").prefix_with("MATERIALIZED")
        number = hits.c.id
        query = select(number)
    if filters.doubtful or sum(map(bool, (filters.type, filters.verdict, filters.stance, filters.claim))) > 1:
        # Tags say that a mention has all of it, and not that one claim of it has, nor that it is doubtful. Within bounds, since
        # the planner may walk the claims beside the text, and would begin at the newest of all.
        within = (occurrence.c.mention_id >= low, occurrence.c.mention_id < high)
        query = query.where(*_carrying(number, filters, *within))
    return query, number


def _carrying(number: Any, filters: Filters, *more: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """That the mention of this number carries an occurrence as the filters ask; nothing where they do not."""
    inside = select(1).where(occurrence.c.mention_id == number, of_occurrence(filters), *more)
    return [inside.exists()] if filters.of_occurrence else []


def _heard(number: Any, filters: Filters) -> list[ColumnElement[bool]]:
    """That the mention of this number was heard where the filters ask; nothing where they do not."""
    inside = select(1).where(mention.c.id == number, _of_mention(filters))
    return [inside.exists()] if filters.platform or filters.source else []


def _naming(number: Any, filters: Filters) -> list[ColumnElement[bool]]:
    """That the mention of this number speaks of one of the names; nothing where none is asked for."""
    inside = select(1).where(mention_watch.c.mention_id == number, mention_watch.c.name.in_(filters.watch))
    return [inside.exists()] if filters.watch else []


async def _names(connection: AsyncConnection, numbers: Sequence[int]) -> dict[int, tuple[str, ...]]:
    rows = await connection.execute(_NAMES, {"numbers": numbers})
    found: dict[int, tuple[str, ...]] = {}
    for row in rows.all():
        found[row.mention_id] = (*found.get(row.mention_id, ()), row.name)
    return found


async def _occurrences(connection: AsyncConnection, texts: dict[int, str | None]) -> dict[int, tuple[Occurrence, ...]]:
    rows = await connection.execute(_OCCURRENCES, {"numbers": list(texts)})
    found: dict[int, list[Occurrence]] = {}
    for row in rows.all():
        one = _occurrence(row, texts[row[0]] or "")
        if (there := found.get(row[0])) is None:
            found[row[0]] = [one]
        else:
            there.append(one)
    return {number: tuple(ones) for number, ones in found.items()}


def _occurrence(row: Any, text: str) -> Occurrence:
    # Taken apart at once: to ask a row for each of its columns by name costs more than all the rest.
    (_, start, end, type_, stance, distance, testimonial, claim_id, verdict, verdicts) = row[:10]
    (basis, confidence, reading, sure, found_as, claim_text, evidence, ruling) = row[10:]
    return Occurrence(
        quote=text[start:end],
        start=start,
        end=end,
        type=type_,
        stance=stance,
        distance=distance,
        testimonial=testimonial,
        claim_id=claim_id,
        claim=claim_text,
        verdict=verdict,
        verdicts=verdicts,
        basis=basis,
        confidence=confidence,
        evidence=evidence,
        why=why(_reading(reading, sure=sure, moved=found_as is not None), ruling),
    )


def _reading(reading: str, *, sure: bool, moved: bool) -> str:
    """How the words were read, and how the occurrence came to its claim."""
    likely = "" if sure else ", joined to this claim as the likeliest, to be reviewed"
    return reading.removesuffix(".") + likely + (", put under this claim by a review" if moved else "")


def _mention(row: Any, claims: tuple[Occurrence, ...], watch: tuple[str, ...], held: str | None) -> Mention:
    return Mention(
        id=public_id("m", row.id),
        platform=row.platform,
        platform_id=row.platform_id,
        source=row.source,
        url=row.url,
        author=shown_author(row.author),
        text=row.text,
        language=row.language,
        created_at=rfc3339(row.created_ms),
        seen_at=rfc3339(row.seen_ms),
        edited_at=rfc3339(row.edited_ms),
        state=row.state,
        relevant=row.relevant,
        adverse_event=row.adverse_event,
        alert=row.alert,
        claims=claims,
        watch=watch,
        classifier=row.classifier,
        register=held or row.register,
    )
