import random

import pytest

from ninth.loop.core import Core
from ninth.loop.timers import Timer, Timers


class NoPoller:
    keeps = True

    def set(self, fd: int, mask: int, again: bool) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def core() -> Core:
    return Core(NoPoller(), lambda context: None)


def timer(core: Core, when: float) -> Timer:
    return Timer(when, print, (), core, None)


def drain(timers: Timers, now: float) -> list[float]:
    found = []
    while (due := timers.pop_due(now)) is not None:
        found.append(due.when())
    return found


def test_timers_come_out_in_the_order_of_their_when(core: Core) -> None:
    whens = [float(number) for number in range(500)]
    shuffled = whens.copy()
    random.Random(1).shuffle(shuffled)
    timers = Timers()
    for when in shuffled:
        timers.push(timer(core, when))
    assert drain(timers, 249.0) == whens[:250]
    assert drain(timers, 1000.0) == whens[250:]
    assert len(timers) == 0


def test_equal_timers_come_out_in_the_order_they_went_in(core: Core) -> None:
    timers = Timers()
    pushed = [timer(core, 5.0) for _ in range(100)]
    for each in pushed:
        timers.push(each)
    assert [timers.pop_due(5.0) for _ in range(100)] == pushed


def test_random_pushes_pops_and_cancels_keep_the_order(core: Core) -> None:
    chance = random.Random(2)
    timers = Timers()
    # By identity: timers compare by what they do, and may be equal.
    alive: dict[int, Timer] = {}
    for _ in range(20_000):
        action = chance.random()
        if action < 0.5:
            when = chance.randrange(1000) / 10
            new = timer(core, when)
            timers.push(new)
            alive[id(new)] = new
        elif action < 0.8 and alive:
            victim = chance.choice(list(alive.values())[-50:])
            del alive[id(victim)]
            victim.cancel()
        else:
            first = timers.pop_due(1e9)
            if first is None:
                assert not alive
            else:
                assert first.when() == min(each.when() for each in alive.values())
                del alive[id(first)]
    assert sorted(each.when() for each in alive.values()) == drain(timers, 1e9)


def test_the_last_timer_leaves_at_once_when_it_is_cancelled(core: Core) -> None:
    timers = Timers()
    timers.push(timer(core, 1.0))
    last = timer(core, 2.0)
    timers.push(last)
    last.cancel()
    last.cancel()
    assert len(timers) == 1
    assert timers.dead == 0


def test_dead_timers_are_swept_when_they_are_half_of_the_heap(core: Core) -> None:
    timers = Timers()
    pushed = [timer(core, float(number)) for number in range(400)]
    for each in pushed:
        timers.push(each)
    for each in pushed[:250]:
        each.cancel()
        assert timers.dead * 2 <= max(len(timers.heap), 128)
    assert len(timers) < 400
    assert drain(timers, 1e9) == [float(number) for number in range(250, 400)]


def test_next_when_skips_what_was_cancelled(core: Core) -> None:
    timers = Timers()
    first, second = timer(core, 1.0), timer(core, 2.0)
    timers.push(first)
    timers.push(second)
    assert timers.next_when() == 1.0
    first.cancel()
    assert timers.next_when() == 2.0
    second.cancel()
    assert timers.next_when() == float("inf")


def test_a_timer_tells_its_when_and_its_state(core: Core) -> None:
    one = timer(core, 3.5)
    assert one.when() == 3.5
    assert "when=3.5" in repr(one)
    assert not one.cancelled()
    one.cancel()
    assert one.cancelled()
    assert "cancelled" in repr(one)
