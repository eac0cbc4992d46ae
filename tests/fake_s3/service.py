"""What the small fakes of other services share: a server in a thread, and AWS's Query API, which
takes a form, wants it signed, and answers with XML."""

import http.server
import re
import socket
import threading
import time
import types
import urllib.parse
from xml.sax.saxutils import escape

from . import sigv4
from .server import bracketed

FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Service:
    """An HTTP server in a thread, on loopback. `handler()` is the class that answers; `ended` is set
    when it is to be over, for answers that wait."""

    host, port = "127.0.0.1", 0  # 0: a free one

    def __enter__(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        kind = type("Server", (http.server.ThreadingHTTPServer,), {"address_family": family})
        self.ended = threading.Event()
        self.server = kind((self.host, self.port), self.handler())
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.endpoint = f"http://{bracketed(self.host)}:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    """A silent one."""

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, status, text, kind="text/xml"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def read_fields(text, rules, needed, known):
    """The fields of a query or a form, each once and by its rule."""
    pairs = urllib.parse.parse_qsl(text, strict_parsing=True, keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) != len(pairs) or not needed <= set(fields) <= known(fields):
        raise sigv4.Refused(400, "ValidationError", f"fields {sorted(fields)}")
    for name, value in fields.items():
        if not re.fullmatch(rules[name], value, re.ASCII):
            raise sigv4.Refused(400, "ValidationError", f"the value of {name}")
    return fields


def check_signature(handler, body, callers, region, service):
    """The access key that has signed a form."""
    headers = {name.lower(): value for name, value in handler.headers.items()}
    request = types.SimpleNamespace(method="POST", raw_path=handler.path, raw_query="",
                                    headers=headers, body=body)
    try:
        sigv4.verify(request, callers, region, time.time(), service=service)
    except sigv4.Refused as refused:
        if refused.code in ("InvalidAccessKeyId", "InvalidToken"):
            refused.status, refused.code = 403, "InvalidClientTokenId"
        raise
    return sigv4.parse_authorization(headers["authorization"])[0]


def error_document(refused):
    return (f"<ErrorResponse><Error><Type>Sender</Type><Code>{refused.code}</Code>"
            f"<Message>{escape(refused.message)}</Message></Error>"
            "<RequestId>1</RequestId></ErrorResponse>").encode()
