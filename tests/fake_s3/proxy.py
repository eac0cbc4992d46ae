"""A CONNECT proxy that leads every host to servers of the test, so nothing leaves this machine."""

import contextlib
import fnmatch
import select
import socket
import socketserver
import threading


def read_head(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(65536)
        if not piece:
            return None
        head += piece
    return head.decode("latin-1")


def splice(one, other):
    """Until either side ends."""
    pairs = {one: other, other: one}
    while True:
        for sock in select.select(list(pairs), [], [])[0]:
            piece = sock.recv(65536)
            if not piece:
                return
            pairs[sock].sendall(piece)


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.server.proxy.serve(self.request)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128  # a client opens all its connections at once


class Proxy:
    """routes: pattern of "host:port" -> (address, port). heads: what came, as it came."""

    def __init__(self, routes=None, answer=None):
        self.routes = routes or {}
        self.answer = answer  # "407 Proxy Authentication Required": to all that comes
        self.heads = []
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    @property
    def port(self):
        return self._server.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def hosts(self):
        """"host:port" of each connection that was asked for."""
        return [head.split(" ")[1] for head in self.heads]

    def serve(self, sock):
        head = read_head(sock)
        if head is None:
            return
        self.heads.append(head)
        method, target = head.split(" ")[:2]
        address = next((address for pattern, address in self.routes.items()
                        if fnmatch.fnmatchcase(target, pattern)), None)
        status = self.answer or ("502 Bad Gateway" if address is None else None)
        if status or method != "CONNECT":
            status = status or "405 Method Not Allowed"
            sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(address) as other:
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            splice(sock, other)
