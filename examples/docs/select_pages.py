"""Makes `site/`, `topics.jsonl` and `known.jsonl` again from the folder of Debian's package sqlite3-doc.

    python examples/docs/select_pages.py FOLDER     # the folder that holds index.html and c3ref/

One table decides all three: the pages chosen by hand, each under the one topic that a person would give
it. Pages whose topic is disputable (`limits.html`, `vtab.html`, …) were left out, so the topic of every
page here can pass for the truth. Pages are copied byte for byte; what they link to and is not here stays
a link to nothing.
"""

import hashlib
import json
import re
import shutil
import sys
from collections import Counter
from itertools import cycle
from pathlib import Path
from posixpath import dirname, join, normpath

from optimai.sim.site.pages import Pages, publish

HOSTS = 8  # as examples/docs.yaml has it

TOPICS = {
    # How a program calls SQLite: functions, objects, constants.
    "api": """
        appfunc backup bindptr capi3 cintro rescode sessionintro unlock_notify
        c3ref/{backup,backup_finish,bind_blob,blob,blob_close,blob_open,blob_read,blob_write,busy_handler}
        c3ref/{busy_timeout,c_abort,changes,close,column_blob,column_count,column_name,commit_hook}
        c3ref/{create_collation,create_function,errcode,exec,finalize,free,free_table,funclist,get_autocommit}
        c3ref/{interrupt,intro,last_insert_rowid,libversion,mutex_alloc,objlist,open,prepare,progress_handler}
        c3ref/{reset,result_blob,set_authorizer,sleep,snapshot_get,sqlite3,step,stmt,threadsafe,total_changes}
        c3ref/{limit,load_extension,trace_v2,update_hook,value_blob,vfs}
        session/{changeset_iter,funclist,intro,objlist,session,sqlite3changeset_apply,sqlite3changeset_new}
        session/{sqlite3changeset_next,sqlite3changeset_old,sqlite3changeset_start,sqlite3session_attach}
        session/{sqlite3session_changeset,sqlite3session_create,sqlite3session_delete}
    """,
    # The language: statements, expressions, types, functions and tables that a query can name.
    "sql": """
        autoinc conflict datatype3 deterministic expridx foreignkeys gencol json1 lang nulls omitted
        pragma rowvalue series spellfix1 stricttables syntax lang_vacuum
        lang_{analyze,comment,conflict,corefunc,createvtab,datefunc,detach,dropindex,droptable,droptrigger}
        lang_{dropview,explain,indexedby,keywords,mathfunc,naming,reindex,replace,savepoint,transaction}
        syntax/{alter-table-stmt,begin-stmt,column-def,commit-stmt,create-table-stmt,drop-index-stmt}
        syntax/{drop-table-stmt,drop-trigger-stmt,drop-view-stmt,expr,insert-stmt,over-clause,release-stmt}
        syntax/{rollback-stmt,savepoint-stmt,select-stmt,sql-stmt,vacuum-stmt,window-defn}
    """,
    # How the engine works inside and how its makers test it.
    "internals": """
        arch assert atomiccommit cpu debugging fileformat fileformat2 howitworks imposter lemon lockingv3
        malloc mmap optoverview psow queryplanner queryplanner-ng rowidtable tempfiles testing th3 wal
        walformat
    """,
    # What a version brought.
    "release": """
        34to35 35to36 chronology news
        releaselog/{3_40_1,3_40_0,3_39_0,3_39_1,3_39_2,3_39_3,3_39_4,3_38_0,3_38_1,3_38_2,3_38_3,3_38_4}
        releaselog/{3_38_5,3_36_0,3_35_0,3_35_1,3_35_2,3_35_3,3_35_4,3_35_5,3_33_0,3_29_0,3_28_0,3_27_0}
        releaselog/{3_27_1,3_27_2,3_26_0,3_22_0,3_21_0,3_20_0,3_20_1,3_19_0,3_19_1,3_19_2,3_19_3,3_9_0,3_9_1}
        releaselog/{3_9_2,3_9_3,3_8_0,3_8_0_1,3_8_0_2,3_7_17,3_7_0,3_6_0,3_5_0,3_3_0,3_2_0,3_1_0,3_0_0}
    """,
    # What SQLite is, whether it fits, how to get, build and run it; the people and the terms.
    "guide": """
        about aff_short affcase1 amalgamation appfileformat books cli consortium copyright crew custombuild
        dbhash different doclist docs download famous faq fasterthanfs features footprint getthecode hirely
        howtocompile index locrsf lts mostdeployed onefile privatebranch prosupport qmplan
        quickstart security selfcontained serverless sqldiff support transactional useovernet whentouse whyc
        whynotgit zeroconf
    """,
}

LARGEST = 200_000  # bytes of a page
KNOWN = 24  # pages whose topic is given away as known answers
CLEAR_WORDS = 250  # a known answer must have enough text to be judged by
ALIKE = 0.5  # and share less than this of its runs of five words with any other page, so that dedup keeps it

LINK = re.compile(r"""<a\b[^>]*?\bhref\s*=\s*["']([^"'#?:]+)""", re.IGNORECASE)
UNSEEN = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)


def names(patterns: str) -> list[str]:
    """`a b/{c,d}` as /a.html, /b/c.html, /b/d.html."""
    found = []
    for pattern in patterns.split():
        stem, brace, rest = pattern.partition("{")
        found += [f"/{stem}{end}.html" for end in (rest.rstrip("}").split(",") if brace else [""])]
    return found


def reached(pages: dict[str, str]) -> set[str]:
    """The pages that links lead to from /index.html."""
    seen, todo = {"/index.html"}, ["/index.html"]
    while todo:
        here = todo.pop()
        there = {normpath(join(dirname(here), link)) for link in LINK.findall(pages[here])}
        new = (there & pages.keys()) - seen
        seen |= new
        todo += sorted(new)
    return seen


def runs_of_words(page: str) -> set[tuple[str, ...]]:
    words = UNSEEN.sub(" ", page).split()
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}


def clear(pages: dict[str, str]) -> list[str]:
    """The pages that can be known answers: text enough, and like no other page."""
    runs = {path: runs_of_words(page) for path, page in pages.items()}

    def alone(path: str) -> bool:
        others = (other for name, other in runs.items() if name != path)
        return all(len(runs[path] & other) < ALIKE * len(runs[path] | other) for other in others)

    return [path for path in pages if len(runs[path]) >= CLEAR_WORDS and alone(path)]


def evenly(topics: dict[str, str], allowed: list[str]) -> list[str]:
    """KNOWN pages, the topics taking turns, each giving its pages in the order of their hashes."""
    waiting = sorted(allowed, key=lambda path: hashlib.sha256(path.encode()).digest(), reverse=True)
    chosen: list[str] = []
    for topic in cycle(TOPICS):
        if len(chosen) == KNOWN:
            return sorted(chosen)
        path = next(path for path in reversed(waiting) if topics[path] == topic)
        waiting.remove(path)
        chosen.append(path)
    raise AssertionError("a cycle has no end")


def write_lines(file: Path, paths: list[str], topics: dict[str, str], site: Pages) -> None:
    rows = [{"url": site.url(path), "answer": topics[path]} for path in paths]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main(source: Path, target: Path) -> None:
    topics = {path: topic for topic, patterns in TOPICS.items() for path in names(patterns)}
    pages = {path: source.joinpath(path[1:]).read_bytes().decode() for path in sorted(topics)}
    if lost := pages.keys() - reached(pages):
        sys.exit(f"No link leads to {sorted(lost)}: take them out, or add a page that links to them.")
    if large := [path for path in pages if source.joinpath(path[1:]).stat().st_size > LARGEST]:
        sys.exit(f"Larger than {LARGEST} bytes: {large}. Take them out.")
    for path in pages:
        copy = target / "site" / path[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path[1:], copy)
    site = publish(target / "site", HOSTS, 80)
    write_lines(target / "topics.jsonl", list(pages), topics, site)
    write_lines(target / "known.jsonl", evenly(topics, clear(pages)), topics, site)
    size = sum(file.stat().st_size for file in target.joinpath("site").rglob("*.html"))
    print(f"{len(pages)} pages, {size:,} bytes: {dict(Counter(topics.values()))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
