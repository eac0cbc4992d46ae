"""Machines of a ring on one machine: network namespaces, and what each finds at its own 127.0.0.1.

A socket belongs to the namespace in which it was made, whoever uses it afterwards. So the metadata
service and the relay of each machine listen inside, and are served from the process of the tests.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000
CHUNK = 1 << 16


def are_permitted():
    """Root, iproute2, and a kernel that lets us."""
    name = f"penates-{os.getpid()}-probe"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    except OSError:
        return False
    if made.returncode == 0:
        subprocess.run(["ip", "netns", "del", name], check=True)
    return made.returncode == 0


class Namespace:
    """with Namespace("a") as ns: ns.run(function); subprocess.Popen([*ns.enter, ...])"""

    def __init__(self, name):
        self.name = f"penates-{os.getpid()}-{name}"
        self.enter = ["ip", "netns", "exec", self.name]

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(["ip", "-n", self.name, "link", "set", "lo", "up"], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    def run(self, function):
        """Its result in here: in a thread of its own, which alone is moved and then ends."""
        outcome = []

        def work():
            try:
                with open(f"/run/netns/{self.name}", "rb") as file:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                outcome.append((function(), None))
            except BaseException as error:  # pylint: disable=broad-except
                outcome.append((None, error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        ((result, error),) = outcome
        if error is not None:
            raise error
        return result


class Relay:
    """What connects to `port` of the namespace's 127.0.0.1 reaches the same port of ours. After
    `budget` bytes from there nothing more comes through, on any connection, and `held` is set."""

    def __init__(self, namespace, port, budget=None):
        self.port, self.left = port, budget
        self.held = threading.Event()
        self.listener = namespace.run(lambda: socket.create_server(("127.0.0.1", port)))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self.listener))
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            theirs, ours = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(self._pump(reader, ours, None), self._pump(theirs, writer, self))
        writer.close()

    @staticmethod
    async def _pump(reader, writer, budget):
        try:
            while data := await reader.read(CHUNK):
                if budget is not None and budget.left is not None:
                    data, budget.left = data[: budget.left], max(budget.left - len(data), 0)
                writer.write(data)
                await writer.drain()
                if budget is not None and budget.left == 0:
                    budget.held.set()
                    await asyncio.Event().wait()
        finally:
            writer.close()
