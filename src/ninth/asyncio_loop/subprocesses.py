"""The hook through which asyncio starts children."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ninth.asyncio_loop import stdlib

if TYPE_CHECKING:
    import asyncio

    from ninth.loop.children import Children


class Subprocesses(stdlib.Base):
    """A part of EventLoop: starts children and waits for their end. Thread-safe: no."""

    _children: Children

    async def _make_subprocess_transport(
        self,
        protocol: asyncio.SubprocessProtocol,
        args: Any,
        shell: bool,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        bufsize: int,
        extra: Any = None,
        **kwargs: Any,
    ) -> asyncio.SubprocessTransport:
        if stdlib.has_child_watcher_of_user():
            # It may reap all children, ours as well: then it has to tell us.
            return await super()._make_subprocess_transport(  # type: ignore[misc]
                protocol, args, shell, stdin, stdout, stderr, bufsize, extra, **kwargs
            )
        waiter = self.create_future()
        transport = stdlib.UnixSubprocessTransport(
            self,
            protocol,
            args,
            shell,
            stdin,
            stdout,
            stderr,
            bufsize,
            waiter=waiter,
            extra=extra,
            **kwargs,
        )
        self._children.watch(transport.get_pid(), partial(stdlib.process_ended, transport))
        try:
            await waiter
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            transport.close()
            await stdlib.wait_for_process(transport)
            raise
        return transport
