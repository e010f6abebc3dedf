"""Run in a network namespace of its own: start the server, look at a page, convert a model, and print what tried to get out.

There is no interface but loopback, so each attempt to reach another machine counts as a packet without a route.
"""

import asyncio
import fcntl
import json
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.doors import samples
from tests.serving import ROOT, Server, start

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """Bring the loopback interface up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def counters() -> dict[str, int]:
    """Return how many packets found no route, and how many datagrams (a name server may listen on loopback) went out."""
    found = {}
    rows = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines()]
    for names, values in zip(rows[::2], rows[1::2], strict=True):
        found.update({names[0] + name: int(value) for name, value in zip(names[1:], values[1:], strict=True)})
    found.update({name: int(value) for name, value in map(str.split, Path("/proc/net/snmp6").read_text().splitlines())})
    return {name: found[name] for name in ("Ip:OutNoRoutes", "Ip6OutNoRoutes", "Udp:OutDatagrams", "Udp6OutDatagrams")}


async def look(server: Server, cookie: str) -> int:
    """Run the page's script as a browser does, and return how many messages it sent."""
    address = server.url.replace("http", "ws") + "/_stcore/stream"
    messages = 0
    async with websockets.connect(
        address, origin=server.url, additional_headers={"Cookie": cookie}, max_size=None
    ) as line:  # type: ignore[arg-type]
        rerun = BackMsg()
        rerun.rerun_script.query_string = ""
        await line.send(rerun.SerializeToString())
        while True:
            message = ForwardMsg.FromString(await asyncio.wait_for(line.recv(), 60))  # type: ignore[arg-type]
            messages += 1
            if message.WhichOneof("type") == "script_finished":
                return messages


def ingest(server: Server, client: httpx.Client) -> str:
    """Upload a sample, and return the state in which its inspection ended."""
    model = samples.samples()[0].model
    job = client.put("/api/models", params={"name": model.name}, content=model.read_bytes()).json()["job"]
    while (state := client.get(f"/api/jobs/{job}").json()["state"]) in ("queued", "running"):
        time.sleep(0.1)
    return str(state)


def convert(folder: Path) -> int:
    """Convert the scikit-learn sample on the command line, and return the exit code."""
    model = next(one.model for one in samples.samples() if one.model.suffix == ".skops")
    words = [
        sys.executable,
        "-m",
        "core",
        "convert",
        str(model),
        "--to",
        "onnx",
        "-o",
        str(folder / "out.onnx"),
        "--json",
    ]
    return subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode


def reach_out() -> None:
    """Try to reach another machine, to see that the counters would show it."""
    with socket.socket() as outward:
        outward.settimeout(1)
        outward.connect_ex(("192.0.2.1", 80))


def main() -> None:
    """Do it all, and print one JSON object."""
    raise_loopback()
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder) / "home")
        with httpx.Client(base_url=server.url, headers={"X-Requested-With": "tests"}, timeout=60) as client:
            client.get("/")
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            report: dict[str, object] = {"messages": asyncio.run(look(server, cookie))}
            report["foreign"] = client.get("/_stcore/health", headers={"Origin": "http://evil.example"}).status_code
            report["ingest"] = ingest(server, client)
        report["convert"] = convert(Path(folder))
        report["stopped"] = server.stop()
        report["counters"] = counters()
        reach_out()
        report["counts"] = counters()["Ip:OutNoRoutes"] > 0
    print(json.dumps(report))


if __name__ == "__main__":
    main()
