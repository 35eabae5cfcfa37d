"""Opinions check each other; where the answer is known, it checks them.

A row is clear when one choice leads by two, or when nobody is left to ask. Alone, a
liar moves nothing against three who agree. Several who lie alike win where they are
the majority of those asked, and on those rows the honest ones get nothing: against
that stand known answers, which only the judge can tell from the others. Who is
suspended for them is judged here again without a vote.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from optimai.core.ids import RowId
from optimai.core.rows import Row, row_id
from optimai.kinds.contract import Answer, Case, Finding, More, Verdict
from optimai.kinds.label.range import parse_range
from optimai.kinds.label.spec import Answers, Label, Labels, Options, Result, Task, known_answers
from optimai.kinds.sentence import sentence

LEAD = 2  # votes
OUT_OF_FORM = "It does not give one of the choices for each row of the task, once."
NO_VOTE = "Its owner has no vote here: too many known answers were wrong."

Choices = Mapping[RowId, str]


def agree(case: Case[Options, Task, Answers]) -> Verdict[Result] | More:
    """A tie that nobody can break leaves its row without a label: better no row than one that is disputed."""
    given = {answer.assignment: _choices(answer) for answer in case.answers}
    counted = [given[answer.assignment] for answer in case.answers if answer.trusted]
    votes = {item.row: Counter(choices[item.row] for choices in counted) for item in case.task.items()}
    known = _known(case)

    least, most = parse_range(case.options.answers)
    unclear = sum(_lead(votes[row]) < LEAD for row in votes if row not in known)
    if not case.last and len(counted) < least:
        return More(least - len(counted), f"{len(counted)} of {least} answers count so far")
    if not case.last and len(counted) < most and unclear:
        return More(1, f"{unclear} of {len(votes)} rows are not clear yet")

    first = {row: _first(votes[row]) for row in votes if _lead(votes[row])} | known if counted else {}
    labels = [Label(row, first[row], votes[row][first[row]], len(counted)) for row in votes if row in first]
    said = f"{len(labels)} of {len(votes)} rows have a label; {len(counted)} of {len(given)} answers count"
    return Verdict(
        believed=Labels(tuple(labels)) if labels else None,
        findings={
            answer.assignment: _finding(given[answer.assignment], first, known, trusted=answer.trusted)
            for answer in case.answers
        },
        reason=said if len(counted) > 1 else f"{said}, checked by nobody else",
    )


def rows(step: str, task: Task, believed: Result) -> Sequence[Row] | None:
    """The text stays with the parent; publish copies its columns. What one person says publishes nothing."""
    if isinstance(believed, Answers):
        return None
    return [
        {
            "_row": row_id(step, label.row),
            "_from": [label.row],
            "label": label.choice,
            "votes": label.votes,
            "of": label.of,
        }
        for label in believed.labels
    ]


def check(options: Options, task: Task, result: Result, rows: list[Row]) -> str:
    """A person's form makes nothing else; a program that does is refused whole."""
    if not isinstance(result, Answers):
        return OUT_OF_FORM
    asked = sorted(item.row for item in task.items())
    answered = sorted(opinion.row for opinion in result.opinions)
    chosen = {opinion.choice for opinion in result.opinions}
    return "" if asked == answered and chosen.issubset(task.choices) else OUT_OF_FORM


def _choices(answer: Answer[Answers]) -> Choices:
    return {opinion.row: opinion.choice for opinion in answer.result.opinions}


def _known(case: Case[Options, Task, Answers]) -> dict[RowId, str]:
    answers = known_answers(case.options)
    return {item.row: answers[item.name] for item in case.task.items() if item.name in answers}


def _first(votes: Counter[str]) -> str:
    return max(votes, key=lambda choice: votes[choice])


def _lead(votes: Counter[str]) -> int:
    """By how many votes the first choice leads."""
    first, second, *_ = [*sorted(votes.values(), reverse=True), 0, 0]
    return first - second


def _finding(choices: Choices, first: Choices, known: Choices, *, trusted: bool) -> Finding:
    faults = sum(choices[row] != known[row] for row in known)
    if not trusted:
        return Finding(0, len(known), faults, NO_VOTE)

    held = sum(choices[row] == first[row] for row in first)
    differ = len(first) - held - faults
    even = len(choices) - len(first)
    why = sentence(
        f"{faults} of {len(known)} known answers were wrong" if faults else "",
        f"{differ} of {len(first) - len(known)} differ from what most said" if differ else "",
        f"{even} of {len(choices)} ended even" if even else "",
    )
    return Finding(held, len(known), faults, why)
