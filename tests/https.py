"""A small proxy that speaks TLS for tests, in a process of its own: it ends TLS with a certificate of its own making, a connection a request, as nginx does in front of a server."""

import asyncio
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.serving import ROOT

PIECE = 1 << 16
DROPPED = (b"connection:", b"x-forwarded-proto:", b"x-forwarded-for:")


def certificate(path: Path) -> None:
    """Write a key and a certificate for localhost that nobody has signed but itself, good for a day."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=localhost")
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + made.public_bytes(encoding))


async def serve(port: int, behind: int, path: str) -> None:
    """End TLS on a port of this machine, and hand on in plain HTTP to another."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    async def handle(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        """Hand one request on, and the answer to it; a websocket stays open."""
        with suppress(OSError, asyncio.IncompleteReadError):
            first, *lines = (await client.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
            kept = [line for line in lines if not line.lower().startswith(DROPPED)]
            upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
            kept += [b"X-Forwarded-For: 198.51.100.7", b"X-Forwarded-Proto: https"]
            kept += [b"Connection: Upgrade" if upgrade else b"Connection: close", b"", b""]
            back, forth = await asyncio.open_connection("127.0.0.1", behind)
            forth.write(b"\r\n".join([first, *kept]))
            up = asyncio.ensure_future(piped(client, forth))
            await piped(back, answer)
            up.cancel()
            forth.close()
        answer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


async def piped(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Hand on what comes until it ends."""
    with suppress(OSError):
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()


@contextmanager
def secured(port: int, behind: int, folder: Path) -> Iterator[None]:
    """Run the proxy, with a certificate in a folder."""
    path = folder / "certificate.pem"
    certificate(path)
    words = [sys.executable, "-m", "tests.https", str(port), str(behind), str(path)]
    with subprocess.Popen(words, cwd=ROOT) as process:
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
