"""TLS over a stream: a stream itself, whose bytes another stream carries, encrypted.

OpenSSL does no I/O here: it is given what came, says what is to be sent, and everything that waits
is the stream beneath. So a cancelled read has lost nothing, for what came is in OpenSSL's buffer or
decrypted and held; and the rest of a cancelled write is encrypted and left to the stream beneath,
which sends it to its end.

Either direction may have to send: an answer to a new key goes out while one reads. A lock lets one
send at a time; what is encrypted meanwhile goes with the next.

The end. TLS says when nothing will follow; a connection that ends without it may have been cut by
somebody in between. Many programs close without saying so, and standard protocols know where a
message ends, so it counts as the end of the file here as in asyncio; `truncated` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import ssl
from typing import TYPE_CHECKING, Any

from ninth.streaming.incoming import MOST, Incoming
from ninth.streaming.outgoing import Outgoing
from ninth.streaming.writing import flat
from ninth.streams import Stream

if TYPE_CHECKING:
    from ninth.errors import FileClosedError

# So much is encrypted before it is sent; a record of TLS holds 16 KiB.
MOST_ENCRYPTED = 128 * 1024


class TLSStream(Stream):
    """A stream over TLS: what connect_tcp(ssl=…), serve_tcp(ssl=…) and Stream.start_tls() make.

    truncated: whether the file ended without TLS saying that nothing follows: it may have been cut.

    Example:
        context = ssl.create_default_context(cafile=certificate)
        async with ninth.connect_tcp("localhost", tls_port, ssl=context) as stream:
            print(stream.ssl_object.version() >= "TLSv1.2")  # -> True
            await stream.write(b"secret")
            print(await stream.read(), stream.truncated)  # -> b'secret' False
    """

    def __init__(  # a stream over a stream has nothing to look at
        self,
        raw: Stream,
        context: ssl.SSLContext,
        server_hostname: str | None,
        server_side: bool,
    ) -> None:
        self._raw = raw
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._from_peer,
            self._to_peer,
            server_side=server_side,
            server_hostname=server_hostname or None,
        )
        self._sending = asyncio.Lock()
        self._failure: Exception | None = None
        # Whether the peer has said that nothing follows, or its end of the connection has ended.
        self._over = False
        self._begin(
            raw.file,
            Incoming(raw.file, raw.fileno(), True, False, False),
            Outgoing(raw.file, raw.fileno(), True, False, False),
        )
        self.truncated = False

    @property
    def ssl_object(self) -> ssl.SSLObject:
        """The TLS of the connection: its version(), cipher(), getpeercert(), and so on."""
        return self._tls

    async def _handshake(self) -> None:
        """Agree with the peer on how to encrypt.

        Raises: ssl.SSLError, of which ssl.SSLCertVerificationError is one; OSError of the file.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send()
                self._feed(await self._raw.read(MOST))
            except ssl.SSLError as error:
                with contextlib.suppress(OSError):
                    # Tells the peer why.
                    await self._send()
                raise explained(error) from error
            else:
                await self._send()
                # What came with the last of it is to be seen by those who ask what is there.
                with contextlib.suppress(ssl.SSLError):
                    # Else it is remembered, and raised to who reads.
                    self._incoming.held.put(self._decrypt() or b"")
                return

    # Reading

    async def _fill(self, wanted: int) -> bool:  # noqa: ARG002
        held = self._incoming.held
        while True:
            data = self._decrypt()
            if data:
                held.put(data)
            if self._to_peer.pending:
                # Who writes next finds out if that fails.
                with contextlib.suppress(OSError):
                    await self._send()
            if data is not None:
                return bool(data)
            self._feed(await self._raw.read(MOST))

    def _read_now(self, size: int) -> bytes | None:  # noqa: ARG002
        while (data := self._decrypt()) is None:
            chunk = self._raw._read_at_once()
            if chunk is None:
                break
            self._feed(chunk)
        if self._to_peer.pending:
            self._raw._write_later(self._to_peer.read())
        return data

    def _read_at_once(self) -> bytes | None:
        """Return what is held or there now; None if there is nothing."""
        return self._incoming.held.take_all() or self._read_now(MOST)

    def _waiting_bytes(self) -> int:
        waiting = self._from_peer.pending + self._tls.pending()
        return waiting + self._raw.pending() + self._raw._waiting_bytes()

    def _feed(self, data: bytes) -> None:
        """Give OpenSSL what came, b"" at the end of the file."""
        if data:
            self._from_peer.write(data)
        else:
            self._from_peer.write_eof()

    def _decrypt(self) -> bytes | None:
        """Return all that can be decrypted, None if more has to come, b"" at the end."""
        if self._over:
            return b""
        parts: list[bytes] = []
        # Asking OpenSSL for what cannot be there costs an exception.
        while self._failure is None and (self._from_peer.pending or self._more()):
            try:
                data = self._tls.read(MOST)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLEOFError:
                self.truncated = self._over = True
                return b"".join(parts)
            except ssl.SSLError as error:
                # After what came before it.
                self._failure = error
                break
            if not data:
                self._over = True
                return b"".join(parts)
            parts.append(data)
        if self._failure is not None and not parts:
            raise explained(self._failure) from self._failure
        return b"".join(parts) if parts else None

    def _more(self) -> bool:
        """Return whether OpenSSL may have something to tell of what it was given before."""
        return bool(self._tls.pending()) or self._from_peer.eof

    # Writing

    async def _write(self, data: bytes | bytearray | memoryview) -> None:
        outgoing = self._outgoing
        outgoing.writer = self
        try:
            with flat(data, "write") as view:
                done = 0
                try:
                    while done < len(view):
                        done += await self._encrypt(view[done : done + MOST_ENCRYPTED])
                        await self._send()
                except asyncio.CancelledError:
                    self._write_later(view[done:])
                    raise
        finally:
            if outgoing.writer is self:
                outgoing.writer = None

    async def _encrypt(self, data: bytes | memoryview) -> int:
        """Encrypt; return how much of it was."""
        while True:
            try:
                return self._tls.write(data)
            except ssl.SSLWantReadError:
                # An old version of TLS makes new keys in the middle.
                await self._send()
                self._feed(await self._raw.read(MOST))

    def _encrypted(self, data: bytes | memoryview) -> bytes:
        """Return data encrypted, after all else that is to be sent."""
        while data:
            data = data[self._tls.write(data) :]
        return self._to_peer.read()

    def _write_later(self, data: bytes | memoryview) -> None:
        """Have data sent, with nobody to wait for it, or to learn that TLS has failed."""
        with contextlib.suppress(ssl.SSLError):
            self._raw._write_later(self._encrypted(data))

    def _write_at_once(self, data: bytes) -> None:
        """Offer data to the system, and wait for nothing."""
        with contextlib.suppress(ssl.SSLError):
            self._raw._write_at_once(self._encrypted(data))

    async def _send(self) -> None:
        """Send what OpenSSL wants sent."""
        outgoing = self._raw._outgoing
        if outgoing.is_free() and not self._sending.locked():
            data = self._to_peer.read()
            sent = outgoing.write_now(data)
            if sent == len(data):
                return
            # Before all that is encrypted meanwhile.
            outgoing.unsent = data[sent:]
        async with self._sending:
            while self._to_peer.pending or outgoing.unsent:
                await self._raw.write(self._to_peer.read())

    async def write_eof(self) -> None:
        """Refuse: TLS has no end of one direction that peers understand."""
        self._outgoing.check("write_eof")
        message = (
            "write_eof() on a TLS stream: peers take it for the end of both directions; "
            "aclose() it, or let the protocol say where its messages end"
        )
        raise io.UnsupportedOperation(message)

    async def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Do what Stream.sendfile() does; the file is read and encrypted."""
        return await self._send_read(file, offset, count)

    # Closing

    def close(self) -> None:
        """Say goodbye and close, where nothing can be awaited."""
        if self.closed:
            return
        idle = self._outgoing.writer is None
        self._incoming.closed = self._outgoing.closed = True
        if idle and not self._raw.closed:
            with contextlib.suppress(ssl.SSLError, OSError, ValueError):
                self._tls.unwrap()
            goodbye = self._to_peer.read()
            if goodbye:
                with contextlib.suppress(OSError, RuntimeError):
                    self._raw._write_at_once(goodbye)
        self._raw.close()

    def _on_closed(self, error: FileClosedError | None) -> None:
        """Do nothing: the stream beneath is told, and who waits here waits there."""

    def _give_back(self) -> None:
        """Do nothing: TLS cannot be taken off."""

    def fileno(self) -> int:
        """Return the descriptor of the stream beneath, -1 when closed."""
        return -1 if self.closed else self._raw.fileno()

    def _hand_over(self) -> Stream:
        """Go on as another object: TLS in TLS."""
        return self


async def tls_over(
    raw: Stream, context: ssl.SSLContext, server_hostname: str | None, server_side: bool
) -> TLSStream:
    """Return a TLS stream over another, which is closed if that fails. Raises: as _handshake()."""
    try:
        stream = TLSStream(raw, context, server_hostname, server_side)
        await stream._handshake()
    except BaseException:
        raw.close()
        raise
    return stream


def explained(error: Exception) -> Exception:
    """Return an error of OpenSSL with what it means and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if not getattr(error, "__notes__", ()):
            error.add_note(
                f"the peer's certificate was not accepted: {error.verify_message}; if it is to be, "
                "pass an ssl.SSLContext that knows its authority: "
                "ssl.create_default_context(cafile=…)"
            )
        return error
    if isinstance(error, ssl.SSLEOFError):
        message = "the peer closed the connection in the middle of TLS: it may not speak it"
        return ssl.SSLEOFError(errno.ECONNRESET, message)
    return error
