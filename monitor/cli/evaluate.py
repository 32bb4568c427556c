"""`evaluate`: how well the configured classifier agrees with labelled posts."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.judging import Judging, judging
from monitor.cli.output import plain, print_json
from monitor.lines import LineError, bounded_lines, text_of
from monitor.words import MAX_TEXT, Judgement
from workers.evaluate import Agreement, Evaluation, Label, Labelled, Pair, evaluate, wrong_alerts
from workers.reader import Given

_TOGETHER = 50
_PIPE_WIDTH = 120
_decoder = msgspec.json.Decoder(Labelled)
_MEANINGS = {
    "relevance": "F1 of: about the topic",
    "detection": "F1 of: carries a claim",
    "type_micro": "F1 over (post, claim type)",
    "type_macro": "mean over the claim types of their F1",
    "stance": "F1 over (post, type, stance)",
    "verdict": "F1 over (post, type, verdict)",
    "claims": "F1 over single claims: the type agrees, and half of the quote",
    "quote": "how far the quotes of matched claims agree",
    "identity": "B-cubed F1: claims that are one are named as one",
    "alert_precision": "share of alerts that are right",
    "alert_recall": "share of due alerts that are raised",
    "alert": "F1 of alerts",
    "adverse_event": "F1 of: reports harm",
    "calls": "how far a confidence is the share that is right",
}


@cli.command("evaluate", epilog="Example:  exowatch evaluate labelled.jsonl --errors 10")
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--errors", metavar="N", type=click.IntRange(min=0), default=0, help="Show the first N posts whose alert is wrong.")
@click.pass_context
def evaluate_command(context: click.Context, file: IO[bytes], as_json: bool, errors: int) -> int:
    """Score the configured classifier on the labelled posts of FILE, one JSON object a line.

    A line holds id, text, relevant, alert and claims (each with quote, type, stance, verdict, claim_key), where wanted also
    adverse_event, lang and traits. Figures are from 0 to 1; their intervals hold 95 of 100 draws of as many posts. A bad line is
    named on stderr, the others go on, and the exit status is 1.
    """
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)
    labelled, bad = _read(file)
    if not labelled:
        raise click.ClickException("there is no labelled post in the file")
    with judging(settings) as judges:
        judgements = list(_judged(judges, labelled))
    pairs = list(zip(labelled, judgements, strict=True))
    evaluation = evaluate(pairs)
    wrong = wrong_alerts(pairs)
    by = dict(Counter(one.classifier for one in judgements).most_common())
    if as_json:
        versions = {"classifiers": by, "register": judgements[0].register, "wrong_alerts": len(wrong)}
        shown = {"errors": [_error(*pair) for pair in wrong[:errors]]} if errors else {}
        print_json(_as_object(evaluation) | versions | shown)
    else:
        _print(evaluation, by)
        _print_errors(wrong, errors)
    return 1 if bad else 0


def _read(file: IO[bytes]) -> tuple[list[Labelled], int]:
    """The labelled posts, each bad line named on stderr, and how many of those there are."""
    posts: dict[str, Labelled] = {}
    bad = 0
    for number, line, _ in bounded_lines(file):
        try:
            text = text_of(line)
            if not text:
                continue
            post = _labelled(text)
            if post.id in posts:
                raise LineError(f"a second post with the id {post.id!r}")
            posts[post.id] = post
        except LineError as error:
            print(f"exowatch: line {number}: {plain(str(error))}", file=sys.stderr)
            bad += 1
    return list(posts.values()), bad


def _labelled(text: str) -> Labelled:
    try:
        post = _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise LineError(f"not a labelled post: {error}") from None
    except (ValueError, RecursionError) as error:
        raise LineError(f"not JSON: {'nested too deeply' if isinstance(error, RecursionError) else error}") from None
    return msgspec.structs.replace(post, text=post.text[:MAX_TEXT])


def _judged(judges: Judging, posts: Sequence[Labelled]) -> Iterator[Judgement]:
    """Their judgements, with a progress bar where somebody watches."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("judging", total=len(posts))
        for start in range(0, len(posts), _TOGETHER):
            some = [Given(post.id, post.text, post.lang) for post in posts[start : start + _TOGETHER]]
            for weighed in judges.weigh(some):
                yield weighed.judgement
            progress.advance(task, len(some))


def _as_object(evaluation: Evaluation) -> dict[str, Any]:
    """The figures under the names, and in the places, that the scorer of labelled posts gives them; and the rest beside them."""
    return {
        "posts": evaluation.posts,
        "n_claims": evaluation.n_claims,
        **evaluation.figures,
        "per_type": evaluation.per_type,
        "intervals": evaluation.intervals,
        "by_type": evaluation.by_type,
        "by_stance": evaluation.by_stance,
        "by_language": evaluation.by_language,
        "by_trait": evaluation.by_trait,
    }


def _error(labelled: Labelled, judgement: Judgement) -> dict[str, Any]:
    return {
        "id": labelled.id,
        "text": labelled.text,
        "alert": {"labelled": labelled.alert, "judged": judgement.alert},
        "labelled": labelled.claims,
        "judged": judgement.claims,
    }


def _print(evaluation: Evaluation, classifiers: Mapping[str, int]) -> None:
    by = ", ".join(f"{name}" + (f" ({number} posts)" if len(classifiers) > 1 else "") for name, number in classifiers.items())
    console = _console()
    console.print(f"{evaluation.posts} posts with {evaluation.n_claims} claims, judged by {plain(by)}\n")
    figures = _table("figure", "value", "95 in 100 draws", "what it says")
    for name, value in evaluation.figures.items():
        low, high = evaluation.intervals[name]
        figures.add_row(name, f"{value:.3f}", f"{low:.3f} to {high:.3f}", _MEANINGS[name])
    console.print(figures)
    for title, rows in (("type", evaluation.by_type), ("stance", evaluation.by_stance)):
        table = _table(f"by {title}", "number", "precision", "recall", "F1")
        for name, one in rows.items():
            table.add_row(name, *_cells(one))
        console.print("", table)
    for title, rows in (("language", evaluation.by_language), ("trait", evaluation.by_trait)):
        table = _table(f"by {title}", "posts", "precision", "recall", "F1", "alert precision", "alert recall", "alert F1")
        for name, one in rows.items():
            table.add_row(Text(plain(name)[:40]), *_cells(one), *(_cells(one.alert)[1:] if one.alert else ()))
        if rows:
            console.print("", table)


def _print_errors(wrong: Sequence[Pair], number: int) -> None:
    console = _console()
    console.print(f"\n{len(wrong)} alerts are wrong" + ("; --errors N shows N of them" if wrong and not number else ""))
    for labelled, judgement in wrong[:number]:
        due = "due and missing" if labelled.alert else "raised and not due"
        console.print(Text(f"\n{plain(labelled.id)}: the alert is {due}", style="bold"))
        console.print(Text(f"  {plain(labelled.text)}"))
        for claim in labelled.claims or (None,):
            console.print(Text(f"  labelled  {_said(claim) + '  ' + plain(claim.claim_key) if claim else 'no claim'}"))
        for found in judgement.claims or (None,):
            told = f"{_said(found)}{' at a distance' if found.distance else ''}  {plain(found.claim)}" if found else "no claim"
            console.print(Text(f"  judged    {told}"))


def _said(claim: Label | Any) -> str:
    return f"{claim.type} {claim.stance} {claim.verdict} “{plain(claim.quote)}”"


def _cells(one: Agreement) -> tuple[str, ...]:
    return str(one.number), f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="left" if heading == "what it says" else "right", no_wrap=heading != "what it says")
    return table


def _console() -> Console:
    """For stdout; in a pipe of a fixed width and without colour."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(markup=False, highlight=False, emoji=False, width=width)
