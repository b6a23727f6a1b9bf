"""The three event loops that everything above the loop must work on."""

import asyncio
from collections.abc import Callable

import uvloop

import ninth

Factory = Callable[[], asyncio.AbstractEventLoop]

FACTORIES: dict[str, Factory] = {
    "ninth": ninth.new_event_loop,
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}
