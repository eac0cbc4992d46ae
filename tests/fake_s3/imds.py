"""A strict instance metadata service, version 2 only, whose credentials rotate and whose tokens
expire on command."""

import http.server
import json
import threading
import time


class FakeIMDS:
    def __init__(self, credentials, *, role="restore-role", lifetime_s=3600, region="us-east-1"):
        self.credentials, self.role, self.lifetime_s = credentials, role, lifetime_s
        self.region = region
        self.tokens = set()
        self.fail_next = []  # statuses to answer before being honest
        self.document = None  # bytes instead of the credentials document
        self.requests = []

    def __enter__(self):
        imds = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                imds.put(self)

            def do_GET(self):
                imds.get(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, handler, status, body=b""):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def refuse(self, handler):
        self.requests.append((handler.command, handler.path))
        if self.fail_next:
            self.answer(handler, self.fail_next.pop(0))
            return True
        return False

    def put(self, handler):
        if self.refuse(handler):
            return
        seconds = handler.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if handler.path != "/latest/api/token" or not seconds.isdigit() or int(seconds) > 21600:
            self.answer(handler, 400)
            return
        token = f"token-{len(self.requests)}"
        self.tokens.add(token)
        self.answer(handler, 200, token.encode())

    def get(self, handler):
        if self.refuse(handler):
            return
        if handler.headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            self.answer(handler, 401)
            return
        base = "/latest/meta-data/iam/security-credentials/"
        if handler.path == base:
            self.answer(handler, 200, self.role.encode())
        elif handler.path == base + self.role:
            self.answer(handler, 200, self.document or self._document())
        elif handler.path == "/latest/meta-data/placement/region":
            self.answer(handler, 200, self.region.encode())
        else:
            self.answer(handler, 404)

    def _document(self):
        access_key, secret_key, token = self.credentials
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.lifetime_s))
        return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": access_key,
                           "SecretAccessKey": secret_key, "Token": token,
                           "LastUpdated": "2026-11-23T00:00:00Z", "Expiration": end}).encode()
