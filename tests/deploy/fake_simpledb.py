"""SimpleDB's Select over one domain, a few items a page, and strict about what Priam asks for."""

import re
import urllib.parse
from xml.sax.saxutils import escape

from fake_s3 import service

PAGE = 2
SPACE = "http://sdb.amazonaws.com/doc/2009-04-15/"


class FakeSimpleDB(service.Service):
    """`items`: name -> attributes, of the domain InstanceIdentity."""

    def __init__(self, items):
        self.items, self.asked = items, []

    def handler(self):
        fake = self

        class Handler(service.Handler):
            def do_POST(self):
                status, text = fake.select(dict(urllib.parse.parse_qsl(self.body().decode())))
                self.answer(status, text.encode())

        return Handler

    def select(self, query):
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
