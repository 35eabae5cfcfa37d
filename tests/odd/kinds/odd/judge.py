from typing import Any


def agree(case: Any) -> Any:
    raise NotImplementedError


def rows(step: str, task: Any, believed: Any) -> Any:
    return None
