"""A small reverse proxy for tests: it hands on what lies below one path, a connection a request, and notes what does not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

ELSEWHERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nelsewhere"


class Proxy(ThreadingTCPServer):
    """One proxy in front of a port of this machine."""

    daemon_threads = True

    def __init__(self, behind: int, path: str) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.behind, self.path, self.elsewhere = behind, path, list[str]()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.path}"


class Request(StreamRequestHandler):
    """One request, and the answer to it; a websocket stays open."""

    server: Proxy

    def handle(self) -> None:
        """Hand it on, or say that it is for somebody else."""
        first, lines = self.rfile.readline(), list(iter(self.rfile.readline, b"\r\n"))
        if not first:
            return
        path = first.split(b" ")[1].decode()
        if not path.startswith(f"{self.server.path}/"):
            self.server.elsewhere.append(path)
            self.wfile.write(ELSEWHERE)
            return
        kept = [line for line in lines if not line.lower().startswith(b"connection:")]
        upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
        kept += [b"X-Forwarded-For: 198.51.100.7\r\n", b"X-Forwarded-Proto: http\r\n"]
        kept += [b"Connection: Upgrade\r\n" if upgrade else b"Connection: close\r\n", b"\r\n"]
        with socket.create_connection(("127.0.0.1", self.server.behind)) as back:
            back.sendall(first + b"".join(kept))
            up = threading.Thread(target=self.up, args=(back,), daemon=True)
            up.start()
            with suppress(OSError):
                while piece := back.recv(1 << 16):
                    self.wfile.write(piece)
                self.connection.shutdown(socket.SHUT_RDWR)
            up.join()

    def up(self, back: socket.socket) -> None:
        """Hand on what the caller sends."""
        with suppress(OSError):
            while piece := self.rfile.read1(1 << 16):
                back.sendall(piece)
            back.shutdown(socket.SHUT_WR)


@contextmanager
def proxied(behind: int, path: str) -> Iterator[Proxy]:
    """Run a proxy on a thread of its own."""
    with Proxy(behind, path) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
