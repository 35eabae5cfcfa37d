"""Holds a judge to the contract, on the answers of an example: honest ones, and lies.

A lie is a result in which one thing is otherwise. Where owners are checked by doing the
same again, lies are made here; where a kind has its own audit or asks people, its example
tells what a lie is (`lies`); where it is challenged, wrong answers are.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, permutations, product
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from optimai.core.assignment import Role
from optimai.core.chance import Seed
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Answer, Case, More, Verdict
from optimai.sim.proof.drive import Broken, Done, answer_of, taken, verdict, worked
from optimai.sim.proof.example import Stage

SEED = Seed(bytes(32))
MOST_LIES = 20
MOST_ORDERS = 24
Answers = tuple[Answer[Any], ...]


class Bench(Struct, frozen=True, kw_only=True):
    """A piece before its judge."""

    kind: Loaded
    options: Any
    done: Done
    stage: Stage
    honest: Answers
    units: int  # of the first honest answer
    lies: tuple[Answers, ...] = ()  # each lie before those who find it out
    tried: int = 0  # lies, those that were refused before they were judged too
    people: bool = False

    def case(self, answers: Sequence[Answer[Any]], *, last: bool = True) -> Case[Any, Any, Any]:
        return Case(
            step="example/step",
            options=self.options,
            task=self.done.piece.task,
            units=self.done.piece.units,
            answers=answers,
            last=last,
        )


async def bench(kind: Loaded, options: Any, done: Done, stage: Stage, *, first: bool) -> Bench:
    """Of the first task of an example, or of another: what the example tells is of its first."""
    example, piece = stage.example, done.piece
    told = [msgspec.convert(stage.named(one), kind.result) for one in example.lies] if first else []
    units = piece.units if example.units is None or not first else example.units
    made = Bench(kind=kind, options=options, done=done, stage=stage, honest=(), units=units)
    if example.answers:
        results = [msgspec.convert(stage.named(one.result), kind.result) for one in example.answers]
        for result in results:
            await taken(kind, options, piece, result, stage.kit())
        honest = tuple(answer_of(number, one) for number, one in enumerate(results, 1))
        passed = [one for one in told if not kind.check(options, piece.task, one, [])]
        lies = tuple((answer_of(len(honest) + 1, lie), *honest) for lie in passed)
        units = example.answers[0].units
        return replace(made, honest=honest, units=units, lies=lies, tried=len(told), people=True)

    honest = (answer_of(1, done.result, challenges=done.challenges),)
    if piece.challenges:
        wrong = tuple(replace(one, answer="wrong") for one in done.challenges)
        guess = answer_of(1, done.result, challenges=wrong)
        return replace(made, honest=honest, lies=((guess,),), tried=1)

    rows = await taken(kind, options, piece, done.result, stage.kit())
    again = kind.audit(options, piece.task, done.result, SEED) == piece.task
    audit = await _audit(kind, options, done, done.result, stage)
    if again and audit != done.result:
        raise Broken(
            "honest", "a second owner who does the same work has another result: make it deterministic"
        )
    false = told or (list(_bent(kind, done.result)) if again else [])
    found = []
    for lie in false:
        if not kind.check(options, piece.task, lie, rows):
            seen = audit if again else await _audit(kind, options, done, lie, stage)
            found.append((answer_of(1, lie), *(answer_of(n, seen, role=Role.AUDIT) for n in (2, 3))))
    return replace(
        made,
        honest=(*honest, answer_of(2, audit, role=Role.AUDIT)),
        lies=tuple(found),
        tried=len(false),
    )


async def _audit(kind: Loaded, options: Any, done: Done, result: Any, stage: Stage) -> Any:
    """What another owner answers who is asked to check a result."""
    return await worked(kind, kind.audit(options, done.piece.task, result, SEED), stage.kit())


def honest(one: Bench) -> None:
    """Alone or beside an honest audit, an honest answer has all its units and no fault."""
    if one.people:
        return _in_turn(one)
    for answers in (one.honest[:1], one.honest):
        found = verdict(one.kind, one.case(answers))
        finding = found.findings[one.honest[0].assignment]
        if finding.units != one.units:
            raise Broken(
                "honest",
                f"an honest answer gets {finding.units} of {one.units} units, for: {finding.why or found.reason}",
            )
        if faults := sum(each.faults for each in found.findings.values()):
            raise Broken("honest", f"{faults} faults are found among honest answers")
        if found.believed is None and one.units:
            raise Broken("honest", "an honest answer is paid and not believed")
    return None


def _in_turn(one: Bench) -> None:
    """People are asked in the order of the example until there is a verdict; it must be as the example says."""
    told = one.stage.example.answers
    for count in range(1, len(told) + 1):
        found = one.kind.agree(one.case(one.honest[:count], last=False))
        if isinstance(found, Verdict):
            break
    else:
        raise Broken("honest", "there is no verdict after all answers of the example")
    if count < len(told):
        raise Broken("honest", f"there is a verdict after {count} of the example's {len(told)} answers")
    for number, (said, answer) in enumerate(zip(told, one.honest, strict=True), 1):
        finding = found.findings[answer.assignment]
        if finding.units != said.units:
            raise Broken(
                "honest", f"answer {number} of the example gets {finding.units} units, not {said.units}"
            )
        if said.why not in (None, finding.why):
            raise Broken(
                "honest", f"answer {number} of the example is told {finding.why!r}, not {said.why!r}"
            )


def deviating(one: Bench) -> None:
    for lie, *others in one.lies:
        found = verdict(one.kind, one.case((lie, *others)))
        if units := found.findings[lie.assignment].units:
            raise Broken("deviating", f"a lie gets {units} units: {_short(lie.result)}")


def orders(one: Bench) -> None:
    for answers in _sets(one):
        found = verdict(one.kind, one.case(answers))
        for turned in islice(permutations(answers), MOST_ORDERS):
            again = verdict(one.kind, one.case(turned))
            if (again.believed, dict(again.findings)) != (found.believed, dict(found.findings)):
                raise Broken(
                    "order", "the verdict is another when the answers come in another order: sort them"
                )


def last(one: Bench) -> None:
    """However many answered and whoever is trusted: where nobody else can be had, there is a verdict."""
    for answers in _trusted(one):
        if isinstance(found := one.kind.agree(one.case(answers)), More):
            raise Broken("last", f"case.last is True, and agree still asks for more: {found.reason}")


def units(one: Bench) -> None:
    most = one.done.piece.units
    for answers in _trusted(one):
        for last_one in (True, False):
            found = one.kind.agree(one.case(answers, last=last_one))
            if isinstance(found, More):
                if found.owners < 1:
                    raise Broken("units", f"More asks for {found.owners} owners: at least one")
                continue
            for finding in verdict(one.kind, one.case(answers, last=last_one)).findings.values():
                if not 0 <= finding.units <= most:
                    raise Broken("units", f"a finding of {finding.units} units, and the task has {most}")
                if not 0 <= finding.faults <= finding.checked:
                    raise Broken("units", f"{finding.faults} faults in {finding.checked} checked units")


def _sets(one: Bench) -> Iterator[Answers]:
    yield one.honest
    yield from one.lies[:3]


def _trusted(one: Bench) -> Iterator[Answers]:
    """Each set and its beginnings, with each owner trusted or suspended; and with more proofs than were asked."""
    for answers in _sets(one):
        for count in range(1, len(answers) + 1):
            for trust in islice(product((True, False), repeat=count), 16):
                yield tuple(
                    replace(answer, trusted=sure) for answer, sure in zip(answers[:count], trust, strict=True)
                )
    if one.done.challenges:
        yield (replace(one.honest[0], challenges=one.done.challenges * 3),)


def _bent(kind: Loaded, result: Any) -> Iterator[Any]:
    """The result with one thing otherwise, for each thing in it; those that its type still takes."""
    for bent in islice(_otherwise(msgspec.to_builtins(result)), MOST_LIES):
        try:
            lie = msgspec.convert(bent, kind.result)
        except msgspec.ValidationError:
            continue
        if lie != result:
            yield lie


def _otherwise(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from ({**value, key: other} for other in _otherwise(inner) if key != "type")
        case list() | tuple():
            for at, inner in enumerate(value):
                yield from ([*value[:at], other, *value[at + 1 :]] for other in _otherwise(inner))
                yield [*value[:at], *value[at + 1 :]]
        case bool():
            yield not value
        case int() | float():
            yield value + 1
        case str():
            yield ("1" if value[:1] == "0" else "0") + value[1:]
        case _:
            return


def _short(result: Any) -> str:
    text = msgspec.json.encode(result).decode()
    return text if len(text) <= 120 else f"{text[:119]}…"
