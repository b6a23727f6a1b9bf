"""Random programs of scopes, on a clock that jumps and in an order that is shuffled.

Each seed makes a tree of scopes in which tasks and callbacks sleep, read pipes, fail, cancel scopes
and clean up slowly, while the whole is cancelled from outside or runs into timeouts. A ledger notes
what happens; afterwards it is held against the rules of a scope. `pytest -k "[17]"` runs one seed.
"""

import asyncio
import os
import random
from typing import Any

import pytest

import ninth
from ninth.testing import VirtualLoop

pytestmark = pytest.mark.usefixtures("no_leaks")

SEEDS = range(400)
FOR_EVER = 50_000.0


class FailureError(Exception):
    """An error of the program."""


class Program:
    """One random program and its ledger."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.loop = VirtualLoop(seed=seed)
        self.raised: list[FailureError] = []
        self.tasks: list[tuple[ninth.Scope, asyncio.Task[Any]]] = []
        self.registrations: list[tuple[ninth.Scope, ninth.Registration]] = []
        self.left: set[ninth.Scope] = set()
        self.violations: list[str] = []
        self.pipes: list[int] = []
        self.outside = 0
        self.steps = 0
        self.main: asyncio.Task[None] | None = None

    # Things that happen

    def delay(self) -> float:
        # Many moments coincide, for that is where the trouble is.
        return self.random.choice([0, 0, 1, 1, 2, 3, 5, 8])

    def fail(self) -> None:
        error = FailureError(len(self.raised))
        self.raised.append(error)
        raise error

    def check_inside(self, scope: ninth.Scope, what: str) -> None:
        self.steps += 1
        if scope in self.left:
            self.violations.append(f"{what} ran after its scope was left")

    async def work(self, scope: ninth.Scope, depth: int) -> None:
        """Be a task: wait, perhaps fail, perhaps clean up slowly, perhaps open a scope."""
        choice = self.random.random()
        try:
            self.check_inside(scope, "a task")
            await asyncio.sleep(self.delay())
            self.check_inside(scope, "a task")
            if depth and choice < 0.4:
                await self.block(depth - 1)
            elif choice < 0.43:
                self.fail()
            elif choice < 0.46:
                scope.cancel("a task")
            await asyncio.sleep(self.delay())
        finally:
            if choice > 0.8:
                try:
                    await asyncio.sleep(self.delay())
                except asyncio.CancelledError:
                    pass
                self.check_inside(scope, "the clean-up of a task")
            if choice > 0.97:
                self.fail()

    def callback(self, scope: ninth.Scope, fd: int | None, depth: int) -> object:
        """Be a callback: read, perhaps fail, cancel, register more, become a coroutine, or stop."""
        self.check_inside(scope, "a callback")
        if fd is not None:
            os.read(fd, 1)
        choice = self.random.random()
        if choice < 0.03:
            self.fail()
        elif choice < 0.05:
            scope.cancel("a callback")
        elif choice < 0.25:
            self.populate(scope, depth)
        elif choice < 0.4:
            return self.work(scope, 0)
        elif choice < 0.6:
            return ninth.STOP
        return None

    def populate(self, scope: ninth.Scope, depth: int) -> None:
        """Start something in a scope, if it still takes anything."""
        background = self.random.random() < 0.3
        kind = self.random.choice(["task", "task", "stay", "after", "every", "file", "subscope"])
        try:
            if kind == "task":
                work = self.work
                task = scope.start(work, scope, depth, background=background)
                self.tasks.append((scope, task))
            elif kind == "after":
                registration = scope.after(
                    self.delay(), self.callback, scope, None, 0, background=background
                )
                self.registrations.append((scope, registration))
            elif kind == "every":
                # It may go on for ever, so it never holds.
                registration = scope.every(
                    1 + self.delay(), self.callback, scope, None, 0, background=True
                )
                self.registrations.append((scope, registration))
            elif kind == "file":
                reading, writing = os.pipe()
                self.pipes += [reading, writing]
                registration = scope.on_readable(
                    reading, self.callback, scope, reading, 0, background=True
                )
                self.registrations.append((scope, registration))
                scope.after(self.delay(), os.write, writing, b"xy")
            elif kind == "stay":
                scope.start(asyncio.sleep, FOR_EVER, background=True)
            elif depth:
                inner = scope.subscope(background=background)
                self.populate(inner, depth - 1)
        except RuntimeError as error:
            if "being stopped" not in str(error) and "has ended" not in str(error):
                raise

    async def block(self, depth: int) -> None:
        """Be a scope with a body."""
        timeout = self.delay() + 1 if self.random.random() < 0.2 else None
        scope = ninth.scope(timeout=timeout)
        try:
            async with scope:
                for _ in range(self.random.randrange(2, 9)):
                    self.populate(scope, depth)
                choice = self.random.random()
                if choice < 0.5:
                    await asyncio.sleep(self.delay())
                if choice < 0.05:
                    self.fail()
                elif choice < 0.08:
                    scope.cancel("the body")
                elif depth and choice < 0.4:
                    await self.block(depth - 1)
                elif choice < 0.45:
                    async with asyncio.timeout(60):
                        await asyncio.sleep(self.delay())
        finally:
            self.left.add(scope)
            for owner, task in self.tasks:
                if owner is scope and not task.done():
                    self.violations.append(f"{task} outlived its scope")
            for owner, registration in self.registrations:
                if owner is scope and not registration.done:
                    self.violations.append(f"{registration} outlived its scope")

    def interrupt(self) -> None:
        if self.main is not None and self.main.cancel():
            self.outside += 1

    # Running and judging

    def run(self) -> None:
        self.main = self.loop.create_task(self.block(3))
        if self.random.random() < 0.4:
            for _ in range(self.random.randrange(1, 4)):
                self.loop.call_later(self.delay(), self.interrupt)
        self.loop.call_later(100_000, self.loop.stop)
        try:
            self.loop.run_until_complete(asyncio.wait([self.main]))
            self.judge(self.main)
        finally:
            for fd in self.pipes:
                os.close(fd)
            self.loop.close()

    def judge(self, main: asyncio.Task[None]) -> None:
        assert self.violations == []
        # Nothing has waited for what was to be cancelled.
        assert self.loop.time() < FOR_EVER
        assert all(task.done() for _, task in self.tasks)
        assert all(registration.done for _, registration in self.registrations)
        assert asyncio.all_tasks(self.loop) <= {main}
        # No watcher and no timer of a scope is left; one timer is the test's own.
        watched = [watch for watch in self.loop.core.table if watch is not None and watch.waiters]
        assert watched == []
        timers = [timer for timer in self.loop.core.timers.timers() if not timer.cancelled()]
        ours = [timer for timer in timers if "interrupt" not in repr(timer)]
        assert len(ours) == 1, ours
        # Every error leaves, once, in one flat group; and nothing else does.
        assert main.cancelling() == self.outside
        if main.cancelled():
            assert self.outside > 0
            assert self.raised == []
            return
        error = main.exception()
        if error is None or isinstance(error, TimeoutError):
            assert self.raised == []
            # A cancellation from outside is not lost, and not swallowed.
            assert self.outside == 0
            return
        assert isinstance(error, ExceptionGroup)
        assert not any(isinstance(one, BaseExceptionGroup) for one in error.exceptions)
        left = [one for one in error.exceptions if isinstance(one, FailureError)]
        assert len(left) == len(set(left))
        assert set(left) == set(self.raised)
        others = {type(one) for one in error.exceptions} - {FailureError}
        assert others <= {TimeoutError}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_rules_hold(seed: int) -> None:
    Program(seed).run()


def test_the_same_seed_is_the_same_program() -> None:
    first, second = Program(7), Program(7)
    first.run()
    second.run()
    assert first.steps == second.steps
    assert first.loop.time() == second.loop.time()


def test_the_programs_are_worth_running() -> None:
    """What is to be tested does happen, in some of them."""
    programs = [Program(seed) for seed in range(100)]
    for program in programs:
        program.run()
    assert any(program.raised for program in programs)
    assert any(program.outside for program in programs)
    assert any(program.main is not None and program.main.cancelled() for program in programs)
    assert any(len(program.left) > 3 for program in programs)
    assert sum(program.steps for program in programs) > 700
