"""A strict instance metadata service, version 2 only, whose credentials rotate, whose tokens expire
and whose role changes."""

import json
import time

from . import service


class Rotation:
    """A new identity every few seconds, known to the S3 fake whose `keys` these are and, unless it
    is lenient, refused by it once its life is over."""

    def __init__(self, keys, secret_key, token, *, every_s, life_s, lenient=False):
        self.keys, self.secret_key, self.token = keys, secret_key, token
        self.every_s, self.life_s, self.lenient = every_s, life_s, lenient
        self.issued = []  # (time, access key, token, end)

    def now(self):
        """(access key, secret key, token, end)"""
        now = time.time()
        if not self.issued or now >= self.issued[-1][0] + self.every_s:
            access_key = f"ASIAROTATING{len(self.issued):08}"
            token = f"{self.token}-{access_key}"
            end = int(now + self.life_s)  # the document tells no fractions
            self.keys[access_key] = (self.secret_key, token, None if self.lenient else end)
            self.issued.append((now, access_key, token, end))
        _, access_key, token, end = self.issued[-1]
        return access_key, self.secret_key, token, end


class FakeIMDS(service.Service):
    """`credentials`: (access key, secret key, token), or a Rotation."""

    def __init__(self, credentials, *, role="restore-role", lifetime_s=3600, region="us-east-1",
                 host="127.0.0.1", port=0):
        self.credentials, self.role, self.lifetime_s = credentials, role, lifetime_s
        self.region, self.host, self.port = region, host, port
        self.words = {}  # path below meta-data -> answer, such as "placement/availability-zone"
        self.identity = None  # (document, signature) of the instance, as bytes
        self.tokens = {}  # token -> how often it has been used
        self.token_uses = None  # a token that was used so often is answered 401
        self.fail_next = []  # statuses to answer before being honest
        self.fail_always = None  # one for ever
        self.next_role = None  # attached once the present one's name has been told
        self.trickle_next = 0  # so many answers come byte by byte, and never whole
        self.loses_tokens = False  # as a hop limit of 1 does, for who is in a container
        self.document = None  # bytes instead of the credentials document
        self.requests = []

    def handler(self):
        imds = self

        class Handler(service.Handler):
            def do_PUT(self):
                imds.put(self)

            def do_GET(self):
                imds.get(self)

        return Handler

    def answer(self, handler, status, body=b""):
        handler.send_response(status)
        trickles, self.trickle_next = self.trickle_next > 0, max(self.trickle_next - 1, 0)
        handler.send_header("Content-Length", str(len(body) + trickles))
        handler.end_headers()
        if trickles:
            self.trickle(handler, body)
        else:
            handler.wfile.write(body)

    def trickle(self, handler, body):
        try:
            for at in range(len(body)):
                handler.wfile.write(body[at : at + 1])
                time.sleep(0.2)
        except OSError:
            pass  # the client has had enough

    def refuse(self, handler):
        self.requests.append((handler.command, handler.path))
        forwarded = any("forwarded" in name.lower() for name in handler.headers)
        status = 403 if forwarded else self.fail_always
        if status is None and self.fail_next:
            status = self.fail_next.pop(0)
        if status is not None:
            self.answer(handler, status)
        return status is not None

    def put(self, handler):
        if self.refuse(handler):
            return
        seconds = handler.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if handler.path != "/latest/api/token" or not seconds.isdigit() or int(seconds) > 21600:
            self.answer(handler, 400)
            return
        if self.loses_tokens:
            handler.rfile.read(1)  # until the client gives up
            return
        token = f"token-{len(self.requests)}"
        self.tokens[token] = 0
        self.answer(handler, 200, token.encode())

    def knows(self, token):
        if token not in self.tokens or self.tokens[token] == self.token_uses:
            return False
        self.tokens[token] += 1
        return True

    def get(self, handler):
        if self.refuse(handler):
            return
        if not self.knows(handler.headers.get("X-aws-ec2-metadata-token")):
            self.answer(handler, 401)
            return
        base = "/latest/meta-data/iam/security-credentials/"
        if handler.path == base:
            told, self.role, self.next_role = self.role, self.next_role or self.role, None
            self.answer(handler, 200, told.encode())
        elif handler.path == base + self.role:
            self.answer(handler, 200, self.document or self._document())
        elif self.identity and handler.path.startswith("/latest/dynamic/instance-identity/"):
            name = handler.path.rsplit("/", 1)[1]
            self.answer(handler, 200, self.identity[("document", "signature").index(name)])
        elif handler.path.removeprefix("/latest/meta-data/") in self.words:
            self.answer(handler, 200, self.words[handler.path[18:]].encode())
        elif handler.path == "/latest/meta-data/placement/region":
            self.answer(handler, 200, self.region.encode())
        else:
            self.answer(handler, 404)

    def _document(self):
        if isinstance(self.credentials, Rotation):
            access_key, secret_key, token, end = self.credentials.now()
        else:
            (access_key, secret_key, token), end = self.credentials, time.time() + self.lifetime_s
        return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": access_key,
                           "SecretAccessKey": secret_key, "Token": token,
                           "LastUpdated": "2026-11-23T00:00:00Z",
                           "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                       time.gmtime(end))}).encode()
