"""MiniStack: strict about signatures only with AUTH=true and the keys of an IAM user."""

from .process import Process, S3Server, free_port, tool


class MiniStack(S3Server):
    ROOT = ("test", "test")

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.access_key, self.secret_key = self.ROOT
        self.process = Process(
            [tool("ministack")], self.folder / "ministack.log",
            {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "AUTH": "true",
             "AWS_ACCESS_KEY_ID": self.ROOT[0], "AWS_SECRET_ACCESS_KEY": self.ROOT[1],
             "MINISTACK_IMDS_V2_REQUIRED": "1"})
        try:
            self.process.wait_for_port(port)
            self._make_user()
        except BaseException:
            self.process.stop()
            raise
        return self

    def _make_user(self):
        """Its root keys skip the signature check, so they are used for this alone."""
        iam = self.client("iam")
        iam.create_user(UserName="restorer")
        iam.put_user_policy(
            UserName="restorer", PolicyName="all",
            PolicyDocument='{"Version":"2012-10-17","Statement":'
                           '[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}')
        key = iam.create_access_key(UserName="restorer")["AccessKey"]
        self.access_key, self.secret_key = key["AccessKeyId"], key["SecretAccessKey"]
        self.client().create_bucket(Bucket=self.bucket)

    def __exit__(self, *_):
        self.process.stop()
