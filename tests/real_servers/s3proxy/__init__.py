"""S3Proxy: jclouds behind an S3 of its own, in memory. It refuses every x-amz- header that it does
not know, which makes it a judge of what is sent."""

import pathlib

import maven_jars

from ..process import Process, S3Server, free_port

HERE = pathlib.Path(__file__).resolve().parent
JARS = HERE.parents[2] / "build-tests" / "s3proxy-4.1.0"

CONF = """s3proxy.endpoint=http://127.0.0.1:{port}
s3proxy.authorization=aws-v4
s3proxy.identity={access_key}
s3proxy.credential={secret_key}
jclouds.provider=transient-nio2
jclouds.identity=unused
jclouds.credential=unused
"""

LOGBACK = """<configuration>
  <appender name="log" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%level %logger %msg%n</pattern></encoder>
  </appender>
  <root level="warn"><appender-ref ref="log"/></root>
</configuration>
"""


def fetch(pin=False):
    return maven_jars.fetch(JARS, HERE / "pom.xml", HERE / "jars.sha256", pin=pin)


class S3Proxy(S3Server):
    access_key = "restorer"
    secret_key = "penates-s3proxy-secret"

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        jars, port = fetch(), free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        conf, logback = self.folder / "s3proxy.conf", self.folder / "logback.xml"
        conf.write_text(CONF.format(port=port, access_key=self.access_key,
                                    secret_key=self.secret_key))
        logback.write_text(LOGBACK)
        self.process = Process(
            ["java", "-Xmx512m", f"-Dlogback.configurationFile={logback}", "-cp", f"{jars}/*",
             "org.gaul.s3proxy.Main", "--properties", str(conf)], self.folder / "s3proxy.log")
        try:
            self.process.wait_for_port(port, 60)
            self.client().create_bucket(Bucket=self.bucket)
        except BaseException:
            self.process.stop()
            raise
        return self

    def __exit__(self, *_):
        self.process.stop()
