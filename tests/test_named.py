"""The blobs that a result names are found wherever its type says so."""

from typing import Annotated

import pytest
from msgspec import Meta, Struct, convert

from optimai.core.ids import BlobId
from optimai.kinds.named import blobs

Hash = Annotated[BlobId, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
A, B, C = "a" * 64, "b" * 64, "c" * 64


class Part(Struct, tag=True):
    text: str
    body: Hash | None = None


class Whole(Struct, tag=True):
    rows: BlobId
    parts: Annotated[tuple[Part, ...], Meta(max_length=9)] = ()
    fates: tuple[BlobId | None, ...] = ()
    named: dict[str, Hash] = {}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"type": "Whole", "rows": A}, [A]),
        ({"type": "Whole", "rows": A, "fates": [None, B, None]}, [A, B]),
        ({"type": "Whole", "rows": A, "parts": [{"type": "Part", "text": C}]}, [A]),
        ({"type": "Whole", "rows": A, "parts": [{"type": "Part", "text": C, "body": B}]}, [A, B]),
        ({"type": "Whole", "rows": A, "named": {"x": B, "y": C}}, [A, B, C]),
        ({"type": "Part", "text": A, "body": C}, [C]),
    ],
)
def test_a_blob_is_named_where_its_type_says_so_and_nowhere_else(given: object, named: list[str]):
    kind = Whole | Part
    assert list(blobs(convert(given, kind), kind)) == named
