import inspect
from collections.abc import Mapping
from typing import get_args, get_type_hints

import pytest

from optimai.core import errors
from optimai.core.errors import Internal, OptimaiError, told

EVERY = sorted(OptimaiError.__subclasses__(), key=lambda kind: kind.code)
NEXT_STEPS = {
    *(
        "Answer",
        "Ask",
        "Deposit",
        "Drop",
        "Fetch",
        "Give",
        "Join",
        "Look",
        "Put",
        "Run",
        "Run:",
        "See",
        "Send",
    ),
    *("Set", "Sign", "Try", "Wait", "Write"),
}


def made(kind: type[OptimaiError]) -> OptimaiError:
    """One of each. Its caller tells what to do where the parameter is called `look` or `fix`."""
    given = {name: 7 if one.annotation is int else f"<{name}>" for name, one in parameters(kind).items()}
    return kind(**given | {name: "Try this." for name in given if name in {"look", "fix"}})


def parameters(kind: type[OptimaiError]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(kind).parameters


@pytest.mark.parametrize("kind", EVERY)
def test_every_error_has_a_code_a_status_and_says_whose_fault_it_is(kind: type[OptimaiError]) -> None:
    assert kind.code.replace("_", "").isalpha()
    assert kind.code.islower()
    assert 400 <= kind.status < 600
    assert kind.fault in get_args(get_args(get_type_hints(OptimaiError)["fault"])[0])
    assert (kind.status < 500) <= (kind.fault == "theirs")


def test_a_code_names_one_error() -> None:
    assert len({kind.code for kind in EVERY}) == len(EVERY)


def test_every_error_is_told_here_and_none_is_the_child_of_another() -> None:
    assert {kind.__module__ for kind in EVERY} == {errors.__name__}
    assert not any(kind.__subclasses__() for kind in EVERY)


@pytest.mark.parametrize("kind", EVERY)
def test_every_sentence_ends_with_a_next_step_and_says_all_that_it_was_given(
    kind: type[OptimaiError],
) -> None:
    sentence = str(made(kind))
    what, _, step = sentence.removesuffix(".").rpartition(". ")
    assert what
    assert step.split()[0] in NEXT_STEPS, f"{step!r} does not tell what to do"
    told_to_it = [name for name, one in parameters(kind).items() if one.annotation is not int]
    assert all(f"<{name}>" in sentence for name in told_to_it if name not in {"look", "fix"})


@pytest.mark.parametrize("kind", EVERY)
def test_an_error_that_another_machine_told_is_the_same_error_here(kind: type[OptimaiError]) -> None:
    here = told(kind.code, str(made(kind)))
    assert type(here) is kind
    assert str(here) == str(made(kind))


def test_a_code_that_nobody_knows_is_told_as_something_of_ours() -> None:
    assert type(told("of a later version", "Something happened. Wait.")) is Internal
