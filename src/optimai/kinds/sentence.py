"""How a judge tells an owner, in one sentence, what became of his work."""


def sentence(*parts: str) -> str:
    """Of those parts that say something; "" where none does."""
    said = "; ".join(part for part in parts if part)
    return f"{said}." if said else ""
