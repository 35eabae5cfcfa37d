"""Which blobs a value names, found by its type: wherever a field is a `BlobId`."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from optimai.core.ids import BlobId


def blobs(value: Any, kind: Any) -> Iterator[BlobId]:
    """Of a value that was decoded as `kind`."""
    if isinstance(value, Struct):
        for field, inner in _fields(type(value)).items():
            yield from blobs(getattr(value, field), inner)
    elif kind is BlobId and value is not None:
        yield value
    elif get_origin(kind) is Annotated:
        yield from blobs(value, get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from blobs(value, member)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from blobs(one, get_args(kind)[1])
    elif isinstance(value, tuple | list):
        for one in value:
            yield from blobs(one, get_args(kind)[0])


@cache
def _fields(kind: type[Struct]) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)
