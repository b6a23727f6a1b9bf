"""The hook through which asyncio starts children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninth.asyncio_loop import stdlib
from ninth.loop.children import reap

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
        if stdlib.watcher_reaps_all_children():
            # It would take the exit code of our child as well: it has to tell us.
            return await super()._make_subprocess_transport(  # type: ignore[misc,no-any-return]
                protocol, args, shell, stdin, stdout, stderr, bufsize, extra=extra, **kwargs
            )
        if stdlib.has_child_watcher_of_user():
            return await super()._make_subprocess_transport(  # type: ignore[misc, no-any-return]
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
        pid = transport.get_pid()

        def ended(pid: int) -> None:
            code = transport._proc.returncode
            if code is None:
                code = reap(pid)
            if code is None:
                stdlib.logger.warning(
                    "Unknown child process pid %d, will report returncode 255", pid
                )
                code = 255
            transport._process_exited(code)

        self._children.watch(pid, ended)
        try:
            await waiter
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            transport.close()
            await transport._wait()
            raise
        return transport
