"""The second rule of a scope: errors leave the block, with the place of registration."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import ninth
from tests.loops import Factory, on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


def fail() -> None:
    raise ValueError("a callback")


async def fail_later() -> None:
    await asyncio.sleep(0)
    raise KeyError("a task")


async def stay() -> None:
    await asyncio.sleep(60)


async def group_of(body: Callable[[ninth.Scope], Coroutine[Any, Any, None]]) -> list[str]:
    """Run a body in a scope; return the names of the errors in its group."""
    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            await body(scope)
    assert all(not isinstance(error, BaseExceptionGroup) for error in caught.value.exceptions)
    return sorted(type(error).__name__ for error in caught.value.exceptions)


@on_each_loop
async def test_an_error_in_the_body_stops_the_rest_and_leaves_in_a_group() -> None:
    async def body(scope: ninth.Scope) -> None:
        scope.start(stay)
        scope.every(0.001, lambda: None)
        await asyncio.sleep(0)
        raise OSError("body")

    assert await group_of(body) == ["OSError"]


@on_each_loop
async def test_an_error_in_a_task_stops_the_rest() -> None:
    async def body(scope: ninth.Scope) -> None:
        scope.start(fail_later)
        await stay()

    assert await group_of(body) == ["KeyError"]


@on_each_loop
async def test_an_error_in_a_callback_is_one_in_a_task() -> None:
    async def body(scope: ninth.Scope) -> None:
        scope.after(0.001, fail)
        scope.start(stay)
        await stay()

    assert await group_of(body) == ["ValueError"]


@on_each_loop
async def test_errors_of_all_kinds_leave_together() -> None:
    async def body(scope: ninth.Scope) -> None:
        scope.start(spoil)
        await asyncio.sleep(0)
        scope.after(0, fail)
        try:
            await stay()
        finally:
            raise OSError("the body")

    assert await group_of(body) == ["KeyError", "OSError", "ValueError"]


async def spoil() -> None:
    try:
        await stay()
    finally:
        raise KeyError("a task that was being stopped")


@on_each_loop
async def test_one_error_that_arrives_twice_counts_once() -> None:
    error = KeyError("the same")

    def again() -> None:
        raise error

    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope.after(0, again)
            try:
                await stay()
            finally:
                raise error
    assert caught.value.exceptions == (error,)


@on_each_loop
async def test_the_group_is_flat_when_scopes_nest() -> None:
    async def inner() -> None:
        async with ninth.scope(name="inner") as scope:
            scope.start(spoil)
            await asyncio.sleep(0)
            scope.after(0, fail)

    async def body(scope: ninth.Scope) -> None:
        scope.start(spoil)
        async with ninth.scope() as nested:
            nested.start(inner)

    assert await group_of(body) == ["KeyError", "KeyError", "ValueError"]


@on_each_loop
async def test_what_except_star_leaves_over_stays_flat() -> None:
    async def body(_: ninth.Scope) -> None:
        try:
            async with ninth.scope() as scope:
                scope.start(spoil)
                await asyncio.sleep(0)
                scope.after(0, fail)
        except* ValueError:
            pass

    assert await group_of(body) == ["KeyError"]


@on_each_loop
async def test_a_group_of_the_users_own_stays_one() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope():
            raise ExceptionGroup("validation", [ValueError("a"), ValueError("b")])
    (only,) = caught.value.exceptions
    assert isinstance(only, ExceptionGroup)
    assert only.message == "validation"


@on_each_loop
async def test_the_note_names_the_line_that_registered_it() -> None:
    async def registers(scope: ninth.Scope) -> int:
        scope.after(0, fail)
        return sys._getframe().f_lineno - 1

    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            line = await registers(scope)
    (error,) = caught.value.exceptions
    where = os.path.relpath(__file__)
    assert error.__notes__ == [f"registered by {registers.__qualname__}() at {where}:{line}"]
    frames = traceback.extract_tb(error.__traceback__)
    assert [frame.name for frame in frames] == ["fail"]


@pytest.mark.parametrize(
    "kind", ["readable", "line", "end", "every", "signal", "exit", "coroutine"]
)
@on_each_loop
async def test_every_kind_of_callback_fails_into_the_scope(kind: str) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a line\n")
    os.close(writing)
    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope.start(stay)
            if kind == "readable":
                scope.on_readable(reading, fail)
            elif kind == "line":
                scope.on_line(reading, lambda line: fail())
            elif kind == "end":
                scope.on_line(reading, lambda line: None, on_end=fail)
            elif kind == "every":
                scope.every(0.001, fail)
            elif kind == "signal":
                scope.on_signal(signal.SIGUSR1, fail)
                os.kill(os.getpid(), signal.SIGUSR1)
            elif kind == "exit":
                scope.on_exit(scope.process("true"), lambda code: fail())
            else:
                scope.after(0, fail_later)
    (error,) = caught.value.exceptions
    assert isinstance(error, (ValueError, KeyError))
    (note,) = error.__notes__
    assert note.startswith("registered by test_every_kind_of_callback")
    os.close(reading)


def test_a_callback_that_raises_is_called_once(loop_factory: Factory) -> None:
    calls = []

    def raises() -> None:
        calls.append(1)
        raise ValueError

    async def main() -> None:
        reading, writing = os.pipe()
        os.write(writing, b"x")
        try:
            async with ninth.scope() as scope:
                scope.on_readable(reading, raises)
        finally:
            os.close(reading)
            os.close(writing)

    with pytest.raises(ExceptionGroup):
        ninth.run(main, loop_factory=loop_factory)
    assert len(calls) == 1


# The scope's own timeout


@on_each_loop
async def test_the_timeout_alone_leaves_bare() -> None:
    with pytest.raises(TimeoutError, match="scope 'slow' took longer than 0.001 seconds") as caught:
        async with ninth.scope(timeout=0.001, name="slow") as scope:
            await stay()
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert scope.cancelled
    assert isinstance(scope.reason, TimeoutError)

    with pytest.raises(TimeoutError):
        async with ninth.scope(timeout=0.001) as scope:
            scope.start(stay)
    with pytest.raises(TimeoutError):
        async with ninth.scope(timeout=0) as scope:
            scope.start(stay)
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0
    await asyncio.sleep(0.001)


@on_each_loop
async def test_the_timeout_with_errors_is_in_the_group() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope(timeout=0.001):
            try:
                await stay()
            finally:
                raise OSError("while stopping")
    assert [type(error) for error in caught.value.exceptions] == [TimeoutError, OSError]


@on_each_loop
async def test_a_timeout_that_is_not_over_does_nothing() -> None:
    async with ninth.scope(timeout=60) as scope:
        scope.after(0, lambda: None)
    assert not scope.cancelled
    async with ninth.scope(timeout=float("inf")):
        await asyncio.sleep(0)


@on_each_loop
async def test_a_timeout_of_the_body_is_an_error_as_any_other() -> None:
    with pytest.raises(ExceptionGroup):
        async with ninth.scope(), ninth.timeout(0.001):
            await stay()


# What leaves bare


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["body", "task", "callback", "signal", "exit"])
def test_it_leaves_bare_after_clean_up(
    loop_factory: Factory, error: type[BaseException], where: str
) -> None:
    ended = []

    async def work() -> None:
        try:
            await stay()
        finally:
            await asyncio.sleep(0.001)
            ended.append("task")

    def leave(*_: object) -> None:
        raise error

    async def leave_later() -> None:
        leave()

    async def main() -> None:
        async with ninth.scope() as scope:
            scope.start(work)
            await asyncio.sleep(0)
            if where == "body":
                leave()
            elif where == "task":
                scope.start(leave_later)
            elif where == "signal":
                scope.on_signal(signal.SIGUSR1, leave)
                os.kill(os.getpid(), signal.SIGUSR1)
            elif where == "exit":
                scope.on_exit(scope.process("true"), leave)
            else:
                scope.after(0, leave)
            await stay()

    with pytest.raises(error):
        ninth.run(main, loop_factory=loop_factory)
    assert ended == ["task"]


@on_each_loop
async def test_a_callback_with_partial_arguments_is_named() -> None:
    async with ninth.scope() as scope:
        registration = scope.after(0, functools.partial(print, end=""))
        assert "waiting" in repr(registration)
        await registration
        assert "done" in repr(registration)


PROGRAM = """\
import ninth


def parse(line):
    return int(line)


def follow(scope):
    scope.on_line(0, parse)


with ninth.scope(name="numbers") as scope:
    follow(scope)
"""

GOLDEN = """\
  + Exception Group Traceback (most recent call last):
  |   File "DIRECTORY/app.py", line 12, in <module>
  |     with ninth.scope(name="numbers") as scope:
  |   File "PACKAGE/scopes/block.py", line N, in __exit__
  |     raise left
  | ExceptionGroup: errors in scope 'numbers' (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "DIRECTORY/app.py", line 5, in parse
    |     return int(line)
    | ValueError: invalid literal for int() with base 10: 'three'
    | registered by follow() at app.py:9
    +------------------------------------
"""


def test_the_traceback_of_a_failing_callback(tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        input="1\n2\nthree\n4\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    package = os.path.dirname(ninth.__file__)
    shown = done.stderr.replace(str(tmp_path), "DIRECTORY").replace(package, "PACKAGE")
    # The marks below a line of source differ between versions of Python.
    lines = [line for line in shown.splitlines() if set(line) - set(" |~^")]
    expected = GOLDEN.splitlines()
    for index, line in enumerate(lines):
        if "PACKAGE/scopes/block.py" in line:
            lines[index] = f"{line.partition(', line ')[0]}, line N, in __exit__"
    assert lines == expected, textwrap.indent(shown, "  ")
    assert done.returncode == 1
