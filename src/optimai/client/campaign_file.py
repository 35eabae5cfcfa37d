"""A campaign's file: strict YAML, and the files it names, turned into what the network takes in.

YAML as people mean it: no tags, no aliases, no key twice, and numbers, dates and yes/no
stay what they look like. Inputs that are the name of a file, and options that a kind declares
as files (`known: gold.jsonl`), are read here, next to the campaign, and sent as rows.
"""

from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from optimai.client import rows_file
from optimai.core.campaign import Campaign, parse
from optimai.core.errors import BadCampaign, NotFound
from optimai.kinds import catalog, columns, hands

MOST_BYTES = 8 << 20


class Written(Struct, frozen=True):
    """A campaign's file as it was read."""

    path: Path
    campaign: Campaign
    raw: dict[str, Any]  # the plain values to send
    files: dict[str, Path]  # what its options name: `topic.known` -> the file

    def beside(self, name: str) -> Path:
        """A file that the campaign names, which stands beside it."""
        return (self.path.parent / name).resolve()


class _Strict(yaml.SafeLoader):
    """Refuses what would surprise: a key twice, an alias."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            here = self.get_event()  # type: ignore[no-untyped-call]
            raise BadCampaign(_line(here), "aliases are not allowed", "Write the value again")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise BadCampaign(_line(key), f"{key.value!r} stands there twice", "Take one of them out")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _line(thing: Any) -> str:
    return f"line {thing.start_mark.line + 1}"


def read(path: Path) -> Written:
    """Raises BadCampaign with the place, NotFound."""
    if not path.is_file():
        raise NotFound("file", path, "Name the campaign's YAML file.")
    if path.stat().st_size > MOST_BYTES:
        raise BadCampaign(str(path), f"it is larger than {MOST_BYTES:,} bytes", "Give fewer rows")
    try:
        raw = yaml.load(path.read_text("utf-8"), Loader=_Strict)  # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as fault:
        raise BadCampaign(
            str(path), f"byte {fault.start + 1:,} of it is not UTF-8", "Save it as UTF-8"
        ) from None
    except yaml.MarkedYAMLError as fault:
        where = f"line {fault.problem_mark.line + 1}" if fault.problem_mark else str(path)
        raise BadCampaign(where, fault.problem or str(fault), "Write it as YAML") from None
    except yaml.YAMLError as fault:
        raise BadCampaign(str(path), str(fault), "Write it as YAML") from None
    if not isinstance(raw, dict):
        raise BadCampaign(str(path), "it is not a mapping", "Begin with `campaign: NAME`")
    if isinstance(inputs := raw.get("inputs"), dict):
        raw["inputs"] = {
            name: rows_file.read(f"inputs.{name}", path.parent / given) if isinstance(given, str) else given
            for name, given in inputs.items()
        }
    files: dict[str, Path] = {}
    for name, step in raw.get("steps", {}).items() if isinstance(raw.get("steps"), dict) else ():
        if isinstance(step, dict):
            files |= _inline(path.parent, name, step)
    campaign = parse(raw)
    columns.check(campaign)
    hands.check(campaign)
    return Written(path, campaign, raw, files)


def _inline(folder: Path, name: str, step: dict[str, Any]) -> dict[str, Path]:
    """Put the rows of a step's files in place of their names. What only its kind knows of a step is said here."""
    kind = step.get("kind")
    files = {}
    if kind not in catalog.names():
        return {}  # parse or the network says what is wrong with it
    of_kind = catalog.load(kind).kind
    price = step.get("price")
    if price is not None and "/" not in str(price):
        raise BadCampaign(f"steps.{name}.price", "it has no unit", f"Write price: {price}/{of_kind.unit}")
    for option in of_kind.files & step.keys():
        file = folder / str(step[option])
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            raise BadCampaign(f"steps.{name}.{option}", f"there is no file {file}", "Name a JSON-lines file")
        files[f"{name}.{option}"] = file.resolve()
        try:
            step[option] = [
                msgspec.json.decode(line) for line in file.read_bytes().splitlines() if line.strip()
            ]
        except msgspec.DecodeError as fault:
            raise BadCampaign(
                f"steps.{name}.{option}", f"{file}: {fault}", "Write one JSON object a line"
            ) from None
    return files
