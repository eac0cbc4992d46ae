"""SimpleDB's Select over one domain, a few items a page, and strict about what Priam asks for."""

import http.server
import re
import threading
import urllib.parse
from xml.sax.saxutils import escape

PAGE = 2
SPACE = "http://sdb.amazonaws.com/doc/2009-04-15/"


class FakeSimpleDB:
    """`items`: name -> attributes, of the domain InstanceIdentity."""

    def __init__(self, items):
        self.items, self.asked = items, []

    def __enter__(self):
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                size = int(self.headers["Content-Length"])
                query = dict(urllib.parse.parse_qsl(self.rfile.read(size).decode()))
                status, body = fake.answer(query)
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

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

    def answer(self, query):
        self.asked.append(query)
        match = re.fullmatch(r"select \* from (\w+) where appId='([^']*)'",
                             query.get("SelectExpression", ""))
        if query.get("Action") != "Select" or match is None or match[1] != "InstanceIdentity":
            code = "NoSuchDomain" if match else "InvalidQueryExpression"
            return 400, (f"<Response><Errors><Error><Code>{code}</Code><Message>{code}</Message></Error>"
                         "</Errors><RequestID>1</RequestID></Response>")
        found = [(name, item) for name, item in sorted(self.items.items())
                 if item["appId"] == match[2]]
        at = int(query.get("NextToken", 0))
        more = f"<NextToken>{at + PAGE}</NextToken>" if at + PAGE < len(found) else ""
        items = "".join(
            f"<Item><Name>{escape(name)}</Name>" + "".join(
                f"<Attribute><Name>{key}</Name><Value>{escape(value)}</Value></Attribute>"
                for key, value in item.items()) + "</Item>"
            for name, item in found[at : at + PAGE])
        return 200, (f'<SelectResponse xmlns="{SPACE}"><SelectResult>{items}{more}</SelectResult>'
                     "<ResponseMetadata><RequestId>1</RequestId><BoxUsage>0.00002</BoxUsage>"
                     "</ResponseMetadata></SelectResponse>")
