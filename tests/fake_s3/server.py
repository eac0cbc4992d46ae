"""HTTP/1.1 by hand over asyncio, in a thread of the test's process."""

import asyncio
import base64
import collections
import dataclasses
import email.utils
import hashlib
import socket
import struct
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

from . import archive, policy, sigv4
from .store import CHUNK, Store

ACCESS_KEY = "AKIAPENATESTEST00001"
SSE_C = "x-amz-server-side-encryption-customer-"
SECRET_KEY = "penates-test-secret/not+a+real=one"


def bracketed(host):
    return f"[{host}]" if ":" in host else host


@dataclasses.dataclass
class Request:
    method: str
    raw_path: str
    raw_query: str
    headers: dict
    kind: str = "other"
    bucket: str = ""
    key: str = ""
    query: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    status: int = 0
    sent: int = 0


class FakeS3:
    """with FakeS3(store) as s3: ... s3.endpoint, s3.requests, s3.faults.append(Fault(...))."""

    def __init__(self, store=None, *, bucket="backups", region="us-east-1", tls=None, signed=True,
                 page_size=1000, clock_offset=0, latency=0.0, host="127.0.0.1", port=0):
        self.store = store or Store()
        self.bucket, self.region, self.host = bucket, region, host
        self.keys = {ACCESS_KEY: (SECRET_KEY, None, None)}
        self.signed, self.page_size = signed, page_size
        self.clock_offset, self.latency = clock_offset, latency  # seconds; a test may move them
        self.thaw_seconds = 0.5  # that a RestoreObject takes
        self.tls = tls
        self.faults = []
        self.policy = None  # a document that says what the caller may do
        self.quirks = set()  # habits of other stores: see _list_xml, _versions_xml and _headers
        self.demanded = {}  # header -> value that every request must bring
        self.requests = []
        self.open = self.peak = 0
        self.port = port  # 0: a free one
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-s3", daemon=True)
        self._writers = set()

    # Life

    def __enter__(self):
        self._thread.start()
        self._ready.wait(10)
        assert self._ready.is_set(), "the fake did not start"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls,
                                 limit=1 << 16)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        for writer in self._writers:
            writer.transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    @property
    def endpoint(self):
        return f"{'https' if self.tls else 'http'}://{bracketed(self.host)}:{self.port}"

    def now(self):
        return time.time() + self.clock_offset

    def count(self, kind=None, key=None):
        return sum(
            1 for r in self.requests if (kind in (None, r.kind)) and (key in (None, r.key))
        )

    def counts_by_key(self, kind="get"):
        return collections.Counter(r.key for r in self.requests if r.kind == kind)

    # One connection

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            while True:
                request = await self._read(reader)
                if request is None:
                    break
                self.open += 1
                self.peak = max(self.peak, self.open)
                try:
                    go_on = await self._answer(request, writer)
                finally:
                    self.open -= 1
                if not go_on:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _read(self, reader):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        if target.startswith("http://"):  # we are the proxy as well
            target = "/" + target.split("/", 3)[3]
        headers = {}
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                assert name.lower() not in headers, f"header {name} sent twice"
                headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", "0"))
        most = {"POST": 4096, "PUT": 1 << 20}.get(method, 0)
        assert size <= most, "this client sends no such bodies"
        body = await reader.readexactly(size)
        raw_path, _, raw_query = target.partition("?")
        request = Request(method, raw_path, raw_query, headers, body=body)
        self._classify(request)
        self.requests.append(request)
        return request

    def _classify(self, request):
        path = urllib.parse.unquote(request.raw_path)
        host = request.headers.get("host", "").partition(":")[0]
        if host.startswith(self.bucket + "."):
            request.bucket, request.key = self.bucket, path[1:]
        else:
            request.bucket, _, request.key = path[1:].partition("/")
        request.query = dict(urllib.parse.parse_qsl(request.raw_query, keep_blank_values=True))
        if request.method == "HEAD":
            request.kind = "head"
        elif request.query.get("list-type") == "2":
            request.kind, request.key = "list", request.query.get("prefix", "")
        elif "versions" in request.query:
            request.kind, request.key = "versions", request.query.get("prefix", "")
        elif request.method == "GET":
            request.kind = "get"
        elif request.method == "POST" and "restore" in request.query:
            request.kind = "restore"
        elif request.method == "PUT" and not request.query:
            request.kind = "put"

    # One answer: True when the connection stays open

    async def _answer(self, request, writer):
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = next((f for f in self.faults if f.takes(request)), None)
        if fault and fault.act:
            fault.act(self, request)
        if fault and fault.close_first:
            return False
        try:
            if self.signed:
                sigv4.verify(request, self.keys, self.region, self.now())
            elif "authorization" in request.headers:
                raise sigv4.Refused(400, "InvalidRequest", "signed, though told not to")
            if self.policy is not None:
                policy.check(self.policy, request)
            if fault and fault.status:
                raise sigv4.Refused(fault.status, fault.code, fault.message, fault.extra)
            if request.bucket != self.bucket:
                raise sigv4.Refused(404, "NoSuchBucket", "The specified bucket does not exist")
            if any(request.headers.get(n) != value for n, value in self.demanded.items()):
                raise sigv4.Refused(403, "AccessDenied", "Access Denied")
            if request.kind == "list":
                return await self._list(request, writer, fault)
            if request.kind == "versions":
                return await self._versions(request, writer, fault)
            if request.kind == "restore":
                return await self._restore(request, writer)
            if request.kind == "put":
                return await self._put(request, writer, fault)
            if request.kind in ("get", "head"):
                return await self._object(request, writer, fault)
            raise sigv4.Refused(405, "MethodNotAllowed", request.method)
        except sigv4.Refused as refused:
            return await self._error(request, writer, refused, fault.headers if fault else {})

    async def _send(self, request, writer, status, headers, body=b""):
        request.status = status
        lines = [f"HTTP/1.1 {status} X"]
        headers.setdefault("Date", email.utils.formatdate(self.now(), usegmt=True))
        headers.setdefault("Content-Length", str(len(body)))
        if "x-amz-request-payer" in self.demanded:
            headers["x-amz-request-charged"] = "requester"
        for name, value in headers.items():
            if value is None:
                continue
            for one in value if isinstance(value, list) else [value]:
                lines.append(f"{name}: {one}")
        head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"
        writer.write(head if request.method == "HEAD" else head + body)
        await writer.drain()
        return True

    async def _error(self, request, writer, refused, headers):
        extra = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in refused.extra.items())
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error>'
            f"<Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>{extra}"
            "<RequestId>FAKE</RequestId></Error>"
        ).encode()
        base = {"Content-Type": "application/xml", "x-amz-request-id": "FAKE"}
        if "Region" in refused.extra:
            base["x-amz-bucket-region"] = refused.extra["Region"]
        return await self._send(request, writer, refused.status, {**base, **headers}, body)

    # Listing

    async def _list(self, request, writer, fault):
        if fault and fault.list_body is not None:
            return await self._send(request, writer, 200, {}, fault.list_body)
        query = request.query
        limit = min(int(query.get("max-keys", "1000")), 1000, self.page_size)
        after = query.get("start-after", "")
        if "continuation-token" in query:
            after = urllib.parse.unquote(query["continuation-token"].removeprefix("t/+="))
        entries, folders, last = self.store.list(
            query.get("prefix", ""), query.get("delimiter", ""), after, limit
        )
        token = None if last is None else "t/+=" + urllib.parse.quote(last)
        if "empty last page" in self.quirks and token is None and entries:
            token = "t/+=" + urllib.parse.quote(entries[-1])  # MinIO
        if fault and fault.repeat_token:
            token = "t/+=same"
        if fault and fault.endless:
            token = f"t/+={urllib.parse.quote(after)}%00{len(self.requests)}"
        if fault and fault.empty_pages:
            entries, folders, token = [], [], f"t/+=empty{len(self.requests)}"
        body = self._list_xml(query, entries, folders, token)
        return await self._send(request, writer, 200, {"Content-Type": "application/xml"}, body)

    def _list_xml(self, query, entries, folders, token):
        # versitygw sends raw keys whatever was asked for.
        url = query.get("encoding-type") == "url" and "raw keys" not in self.quirks
        plain = "-_.~" if "encoded slashes" in self.quirks else "/-_.~"  # Ceph, Garage

        def shown(text):
            return urllib.parse.quote(text, safe=plain) if url else escape(text)

        def etag(thing):
            return "" if "no ETag" in self.quirks else f"<ETag>&quot;{thing.etag}&quot;</ETag>"

        def storage_class(thing):
            return ("" if "no storage class" in self.quirks
                    else f"<StorageClass>{thing.storage_class}</StorageClass>")

        out = ['<?xml version="1.0" encoding="UTF-8"?>\n'
               '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
               f"<Name>{self.bucket}</Name><Prefix>{shown(query.get('prefix', ''))}</Prefix>"
               f"<KeyCount>{len(entries) + len(folders)}</KeyCount><MaxKeys>1000</MaxKeys>"]
        told = "<EncodingType>url</EncodingType>" if url else ""
        if "encoding told last" not in self.quirks:  # MinIO
            out.append(told)
        out.append(f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>")
        if token:
            out.append(f"<NextContinuationToken>{escape(token)}</NextContinuationToken>")
        for name in entries:
            thing = self.store.objects[name]
            algorithms = "".join(
                f"<ChecksumAlgorithm>{kind.upper()}</ChecksumAlgorithm>" for kind in thing.checksums
            )
            if algorithms:
                algorithms += f"<ChecksumType>{thing.checksum_type}</ChecksumType>"
            out.append(
                f"<Contents><Key>{shown(name)}</Key><LastModified>{thing.modified}</LastModified>"
                f"{etag(thing)}{algorithms}<Size>{thing.body.size}</Size>"
                f"{storage_class(thing)}</Contents>"
            )
        if "encoding told last" in self.quirks:
            out.append(told)
        for name in folders:
            out.append(f"<CommonPrefixes><Prefix>{shown(name)}</Prefix></CommonPrefixes>")
        out.append("</ListBucketResult>")
        return "".join(out).encode()

    async def _versions(self, request, writer, fault):
        if fault and fault.list_body is not None:
            return await self._send(request, writer, 200, {}, fault.list_body)
        query = request.query
        rows, following = self.store.list_versions(
            query.get("prefix", ""), query.get("delimiter", ""), query.get("key-marker", ""),
            query.get("version-id-marker", ""), self.page_size)
        body = self._versions_xml(query, rows, following)
        return await self._send(request, writer, 200, {"Content-Type": "application/xml"}, body)

    def _versions_xml(self, query, rows, following):
        url = query.get("encoding-type") == "url" and "raw keys" not in self.quirks

        def shown(text):
            return urllib.parse.quote(text, safe="/-_.~") if url else escape(text)

        def element(name, thing):
            if thing is None:
                return f"<CommonPrefixes><Prefix>{shown(name)}</Prefix></CommonPrefixes>"
            latest = "true" if self.store.history[name][0] is thing else "false"
            common = (f"<Key>{shown(name)}</Key><VersionId>{thing.version_id}</VersionId>"
                      f"<IsLatest>{latest}</IsLatest><LastModified>{thing.modified}</LastModified>")
            if thing.is_marker:
                return f"<DeleteMarker>{common}</DeleteMarker>"
            return (f"<Version>{common}<ETag>&quot;{thing.etag}&quot;</ETag>"
                    f"<Size>{thing.body.size}</Size>"
                    f"<StorageClass>{thing.storage_class}</StorageClass></Version>")

        if "markers apart" in self.quirks:  # versitygw
            rows = sorted(rows, key=lambda row: not (row[1] and row[1].is_marker))
        out = ['<?xml version="1.0" encoding="UTF-8"?>\n'
               '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
               f"<Name>{self.bucket}</Name>"]
        if url:
            out.append("<EncodingType>url</EncodingType>")
        if following:
            name, version_id = following
            marker = escape(name) if "raw key marker" in self.quirks else shown(name)  # Swift
            out.append(f"<NextKeyMarker>{marker}</NextKeyMarker>"
                       f"<NextVersionIdMarker>{version_id}</NextVersionIdMarker>")
        out.append(f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>")
        out += [element(name, thing) for name, thing in rows]
        out.append("</ListVersionsResult>")
        return "".join(out).encode()

    # Objects

    def _check_conditions(self, request):
        """S3 User Guide, "Conditional writes": If-Match of what is not there is 404."""
        there = self.store.objects.get(request.key)
        wanted = request.headers.get("if-match")
        if wanted is not None and there is None:
            raise sigv4.Refused(404, "NoSuchKey", "The specified key does not exist.")
        if (there is not None and request.headers.get("if-none-match") == "*") or (
                wanted is not None and wanted.strip('"') != there.etag):
            raise sigv4.Refused(412, "PreconditionFailed", "At least one of the pre-conditions you "
                                "specified did not hold")

    async def _put(self, request, writer, fault):
        if "no conditions" not in self.quirks:  # Swift, and others that know no better
            self._check_conditions(request)
        self.store.put(request.key, request.body, headers={
            "Last-Modified": email.utils.formatdate(self.now(), usegmt=True)})
        if fault and fault.lose_answer:
            return False
        etag = self.store.objects[request.key].etag
        return await self._send(request, writer, 200, {"ETag": f'"{etag}"'})

    def _thing(self, request):
        if "versionId" not in request.query:
            thing = self.store.objects.get(request.key)
            if thing is None:
                raise sigv4.Refused(404, "NoSuchKey", "The specified key does not exist.")
            return thing
        for thing in self.store.history.get(request.key, []):
            if thing.version_id == request.query["versionId"]:
                if thing.is_marker:
                    raise sigv4.Refused(405, "MethodNotAllowed", "of a delete marker")
                return thing
        raise sigv4.Refused(404, "NoSuchVersion", "The specified version does not exist.")

    def _check_sse_c(self, request, thing):
        """As AWS answers; it wants all three headers, on GET and HEAD of an object alone."""
        given = {name.removeprefix(SSE_C): value for name, value in request.headers.items()
                 if name.startswith(SSE_C)}
        if not thing.sse_c_md5:
            if given:
                raise sigv4.Refused(400, "InvalidRequest", "The encryption parameters are not "
                                    "applicable to this object.")
            return
        if given.keys() != {"algorithm", "key", "key-md5"}:
            raise sigv4.Refused(400, "InvalidRequest", "The object was stored using a form of "
                                "Server Side Encryption. The correct parameters must be provided "
                                "to retrieve the object.")
        key = base64.b64decode(given["key"], validate=True)
        md5 = base64.b64encode(hashlib.md5(key).digest()).decode()
        if given["algorithm"] != "AES256" or len(key) != 32 or md5 != given["key-md5"]:
            raise sigv4.Refused(400, "InvalidArgument", "The calculated MD5 hash of the key did "
                                "not match the hash that was provided.")
        if md5 != thing.sse_c_md5:
            raise sigv4.Refused(403, "AccessDenied", "Requests specifying Server Side Encryption "
                                "with Customer provided keys must provide the correct secret key.")

    def _span(self, request, thing):
        """(first, size, status, part count) that the request asks for."""
        total = thing.body.size
        if "partNumber" in request.query:
            number = int(request.query["partNumber"])
            sizes = thing.part_sizes or [total]
            if not 1 <= number <= len(sizes):
                raise sigv4.Refused(416, "InvalidPartNumber", "no such part")
            return sum(sizes[: number - 1]), sizes[number - 1], 206, len(sizes)
        if "range" not in request.headers:
            return 0, total, 200, 0
        first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        first, last = int(first), min(int(last), total - 1)
        if first >= total:
            raise sigv4.Refused(416, "InvalidRange", "The requested range is not satisfiable")
        return first, last - first + 1, 206, 0

    def _headers(self, request, thing, first, size, status, parts):
        headers = {"ETag": f'"{thing.etag}"', "Accept-Ranges": "bytes",
                   "Last-Modified": "Mon, 23 Nov 2026 08:00:00 GMT",
                   "Content-Type": "application/octet-stream", "Content-Length": str(size)}
        for name, value in thing.metadata.items():
            headers[f"x-amz-meta-{name}"] = value
        whole = size == thing.body.size
        if request.headers.get("x-amz-checksum-mode") == "ENABLED" and whole and not parts:
            for kind, value in thing.checksums.items():
                headers[f"x-amz-checksum-{kind}"] = value
                headers["x-amz-checksum-type"] = thing.checksum_type
        if status == 206:
            headers["Content-Range"] = f"bytes {first}-{first + size - 1}/{thing.body.size}"
        if parts:
            headers["x-amz-mp-parts-count"] = str(parts)
        if "no ETag" in self.quirks:
            headers["ETag"] = None
        headers.update(archive.headers(thing, self.now()))
        if thing.sse_c_md5:
            headers[SSE_C + "algorithm"] = "AES256"
            headers[SSE_C + "key-md5"] = thing.sse_c_md5
        headers.update(thing.headers)
        return headers

    async def _restore(self, request, writer):
        status = archive.restore(request, self._thing(request), self.now(), self.thaw_seconds)
        return await self._send(request, writer, status, {})

    async def _object(self, request, writer, fault):
        thing = self._thing(request)
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted.strip('"') != thing.etag:
            raise sigv4.Refused(412, "PreconditionFailed",
                                "At least one of the pre-conditions you specified did not hold")
        if request.method == "GET":
            archive.check_readable(thing, self.now())
        self._check_sse_c(request, thing)
        first, size, status, parts = self._span(request, thing)
        if fault and fault.ignore_range:
            first, size, status = 0, thing.body.size, 200
        headers = self._headers(request, thing, first, size, status, parts)
        headers.update(fault.headers if fault else {})
        if fault and fault.error_in_200:
            body = f"<Error><Code>{fault.error_in_200}</Code><Message>no</Message></Error>".encode()
            return await self._send(request, writer, 200, {"Content-Type": "application/xml"}, body)
        if fault and fault.wrong_range:
            headers["Content-Range"] = f"bytes {first + 1}-{first + size}/{thing.body.size}"
        if fault and fault.etag:
            headers["ETag"] = f'"{fault.etag}"'
        if fault and fault.content_length is not None:
            headers["Content-Length"] = {
                "": None, "twice": [str(size), str(size + 1)]
            }.get(fault.content_length, fault.content_length)
        if fault and fault.chunked:
            headers["Content-Length"] = None
            headers["Transfer-Encoding"] = "chunked"
        await self._send(request, writer, status, headers)
        if request.method == "HEAD":
            return True
        return await self._body(request, writer, thing, first, size, fault)

    async def _body(self, request, writer, thing, first, size, fault):
        sent = 0
        while sent < size:
            piece = bytearray(thing.body.read(first + sent, min(CHUNK, size - sent)))
            if fault:
                if await self._spoil(request, writer, piece, first, sent, fault):
                    return False
                if fault.trickle:
                    piece = piece[: max(1, fault.trickle // 10)]
                    await asyncio.sleep(0.1)
                if fault.chunked:
                    writer.write(f"{len(piece):x}\r\n".encode() + bytes(piece) + b"\r\n")
                    sent += len(piece)
                    request.sent = sent
                    continue
            writer.write(bytes(piece))
            await writer.drain()
            sent += len(piece)
            request.sent = sent
        if fault and fault.chunked:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return not (fault and fault.content_length is not None)

    async def _spoil(self, request, writer, piece, first, sent, fault):
        """Changes the piece, or ends the connection inside it: then True."""
        if fault.flip_at is not None and 0 <= fault.flip_at - first - sent < len(piece):
            piece[fault.flip_at - first - sent] ^= 1
        for at in (fault.truncate_at, fault.reset_at, fault.stall_at):
            if at is None or not 0 <= at - sent < len(piece):
                continue
            writer.write(bytes(piece[: at - sent]))
            await writer.drain()
            request.sent = at
            if fault.stall_at is not None:
                await asyncio.sleep(fault.stall_s)
            if fault.reset_at is not None:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            return True
        return False
