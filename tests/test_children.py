"""What a command started is gone when it is, however it is told to stop, and says why where it ended by itself."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from optimai.cli import children
from optimai.cli.children import Children
from optimai.core.errors import ChildEnded, InUse

# A command with one child, which takes half a second to put its things away.
SLOW = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), print("put away", flush=True), sys.exit()))
print("ready", flush=True)
signal.pause()
"""
COMMAND = """
import asyncio, sys
from pathlib import Path
from optimai.cli import children

async def main():
    async with children.Children(Path(sys.argv[1])) as all:
        child = await all.start("slow", "slow")
        await child.says(1)
        print(child.pid, flush=True)
        await asyncio.Event().wait()

children.run(main())
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent.parent / 'src'}")
    arguments = [sys.executable, "-c", COMMAND, str(tmp_path)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def child_of(command: subprocess.Popen[str]) -> psutil.Process:
    assert command.stdout
    return psutil.Process(int(command.stdout.readline()))


def test_stopping_is_not_interrupted_by_more_of_the_same(command: subprocess.Popen[str], tmp_path: Path):
    child = child_of(command)
    for _ in range(3):
        command.send_signal(signal.SIGINT)
        command.send_signal(signal.SIGTERM)
    _, said = command.communicate(timeout=20)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert (tmp_path / "slow.log").read_text() == "ready\nput away\n"
    assert not child.is_running()


def test_a_child_ends_with_a_parent_that_was_killed(command: subprocess.Popen[str], tmp_path: Path):
    child = child_of(command)
    command.kill()
    command.communicate(timeout=20)
    child.wait(20)
    assert (tmp_path / "slow.log").read_text() == "ready\nput away\n"


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("in_use: Port 1 of here is in use by another program.", InUse),
        ("Traceback: it broke", ChildEnded),
    ],
)
def test_what_a_child_ended_with_is_told_and_not_what_an_earlier_one_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, error: type[Exception]
):
    (tmp_path / "ends.py").write_text(f"import sys; sys.exit({says!r})")
    (tmp_path / "ends.log").write_text("taken: That was yesterday.\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def main() -> None:
        async with Children(tmp_path) as all_of_them:
            child = await all_of_them.start("ends", "ends")
            with pytest.raises(error, match=says.rpartition(": ")[2]):
                await child.says(2)
            with pytest.raises(error):
                all_of_them.look()

    children.run(main())


async def test_a_child_that_stands_still_goes_on_or_dies_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with Children(tmp_path) as all_of_them:
        child = await all_of_them.start("slow", "slow")
        await child.says(1)
        process = psutil.Process(child.pid)
        async with asyncio.timeout(20):
            for told, stopped in ((child.freeze, True), (child.go_on, False), (child.freeze, True)):
                told()
                while (process.status() == psutil.STATUS_STOPPED) != stopped:  # noqa: ASYNC110 - the kernel's
                    await asyncio.sleep(0.01)
            await child.kill()
        assert not child.running
