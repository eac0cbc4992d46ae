"""The sample backups, from S3 servers that this project did not write."""

import tempfile

import pytest
from conftest import (DATA, check_no_secret, expected_tree, finish, penates, points, sha256_tree,
                      start)
from fake_s3 import tree_store
from real_servers import ALL, Swift
from real_servers.ministack import MiniStack


@pytest.fixture(scope="module", params=sorted(ALL))
def real(request):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        import pathlib

        with ALL[request.param](pathlib.Path(folder)) as server:
            for fixture in ("priam-v1", "priam-v2"):
                server.fill(tree_store(DATA / fixture))
            yield server


def keys(server, **extra):
    return {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
            **extra}


def source(server):
    return [f"s3://{server.bucket}/backup", "--endpoint", server.endpoint, "--path-style"]


@pytest.mark.parametrize("fixture, cluster", [("priam-v1", "fix_v1"), ("priam-v2", "fix_v2")])
def test_restore(real, tmp_path, fixture, cluster):
    """Both clusters share the bucket, as they would."""
    result = penates("restore", *source(real), "--cluster", cluster, "--range",
                     points(DATA / fixture)["p1"], "--into", tmp_path / "data", env=keys(real))
    check_no_secret(result.err.replace(real.secret_key, "Signature="))
    assert result.code == 0, result.err
    got = sha256_tree(tmp_path / "data")
    wanted = expected_tree(DATA / fixture, "p1")
    left_out = {name for name in wanted if name.startswith("system/IndexInfo-")}
    assert {name: d for name, d in wanted.items() if name not in left_out} == {
        name: d for name, d in got.items() if name not in left_out}


def test_several_clusters_are_named(real):
    result = penates("plan", *source(real), env=keys(real))
    assert result.code == 64, result.err
    assert "fix_v1" in result.error
    assert "fix_v2" in result.error


def test_list(real):
    result = penates("list", *source(real), "--json", env=keys(real))
    assert result.code == 0, result.err
    points_found = result.json["restore_points"]
    assert {p["cluster"] for p in points_found} == {"fix_v1", "fix_v2"}
    assert all(p["complete"] for p in points_found)


def test_wrong_secret_is_refused(real, tmp_path):
    result = penates("restore", *source(real), "--into", tmp_path / "data",
                     env=keys(real, AWS_SECRET_ACCESS_KEY="wrong"))
    assert result.code == 77, result.err
    assert not (tmp_path / "data").exists()


@pytest.fixture
def iam(real):
    """Gives keys to a new user with this policy; the server judges by it."""
    if not isinstance(real, MiniStack):
        pytest.skip("has no IAM")
    client = real.client("iam", *MiniStack.ROOT)

    def user(name, policy):
        client.create_user(UserName=name)
        if policy is not None:
            client.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
        key = client.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    return user


def test_without_a_policy(real, iam, tmp_path):
    result = penates("restore", *source(real), "--into", tmp_path / "data", env=iam("poor", None))
    assert result.code == 77, result.err
    assert "no identity-based policy allows it: arn:aws:iam::000000000000:user/poor was refused " \
           "s3:ListBucket on arn:aws:s3:::" in result.error
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("cluster", ["fix_v1", "fix_v2"])
def test_the_printed_policy_is_enough(real, iam, tmp_path, cluster):
    policy = penates("policy", f"s3://{real.bucket}/backup", "--cluster", cluster)
    assert policy.code == 0, policy.err
    result = penates("restore", *source(real), "--cluster", cluster, "--into", tmp_path / "data",
                     env=iam(f"only-{cluster}", policy.out))
    assert result.code == 0, result.err
    other = {"fix_v1": "fix_v2", "fix_v2": "fix_v1"}[cluster]
    refused = penates("list", *source(real), "--cluster", other, "--format", other[-2:],
                      env=iam(f"not-{other}", policy.out))
    assert refused.code == 77, refused.err


def test_large_object_in_parts(real, tmp_path):
    """Multipart on the server's side, ranges on ours, cut at different places."""
    import random

    from small_backup import SmallBackup

    backup = SmallBackup()
    backup.add_sstable(1, random.Random(5).randbytes(14 << 20))
    backup.seal()
    client = real.client()
    key = backup.key("nb-1-big-Data.db")
    body = backup.store.objects[key].body.data
    upload = client.create_multipart_upload(Bucket=real.bucket, Key=key)["UploadId"]
    parts = []
    for number, at in enumerate(range(0, len(body), 5 << 20), 1):
        answer = client.upload_part(Bucket=real.bucket, Key=key, UploadId=upload,
                                    PartNumber=number, Body=body[at : at + (5 << 20)])
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(Bucket=real.bucket, Key=key, UploadId=upload,
                                     MultipartUpload={"Parts": parts})
    for other, thing in backup.store.objects.items():
        if other != key:
            client.put_object(Bucket=real.bucket, Key=other, Body=thing.body.data)
    result = penates("restore", *source(real), "--cluster", "fake-app", "--part-size", "1M",
                     "--into", tmp_path / "data", env=keys(real))
    assert result.code == 0, result.err
    for name, plain in backup.plain.items():
        assert (tmp_path / "data" / name).read_bytes() == plain


def test_doctor(real):
    result = penates("doctor", *source(real), "--cluster", "fix_v2", "--json", env=keys(real))
    assert result.code == 0, result.out + result.err
    states = {check["name"]: check["state"] for check in result.json["checks"]}
    assert {name for name, state in states.items() if state != "ok"} == {"target"}, result.out
    result = penates("doctor", *source(real), "--json",
                     env=keys(real, AWS_SECRET_ACCESS_KEY="wrong"))
    assert result.code == 77, result.out + result.err
    states = {check["name"]: check["state"] for check in result.json["checks"]}
    assert states["endpoint"] == "ok"
    assert states["list"] == "failed"


@pytest.fixture
def ring(real):
    """A ring's backup in a bucket of its own: (where its plan is kept, the rest of a command)."""
    from test_ring import nodes

    client, bucket = real.client(), f"ring-{len(RINGS)}"
    RINGS.append(bucket)
    client.create_bucket(Bucket=bucket)
    for key, thing in nodes(3, ["r"] * 3).store.objects.items():
        client.put_object(Bucket=bucket, Key=key, Body=thing.body.data)
    options = ["--endpoint", real.endpoint, "--path-style"]
    plan = penates("ring", "plan", f"s3://{bucket}/backup", "--state", f"s3://{bucket}/state",
                   "--json", *options, env=keys(real))
    assert plan.code == 0, plan.err
    return f"s3://{bucket}/state/plans/{plan.json['id']}.json", options


RINGS = []


def claiming(real, ring, into, node, *args):
    return start("restore", "--ring", ring[0], "--slot", "claim", "--rack", "r", "--node", node,
                 "--into", into, *ring[1], *args, env=keys(real))


def test_claims(real, ring, tmp_path):
    """Six nodes and three tokens; where writes have no conditions, that is found out."""
    running = [claiming(real, ring, tmp_path / str(i), f"n{i}", "--lease", "20s") for i in range(6)]
    results = [finish(process) for process in running]
    codes = sorted(result.code for result in results)
    if isinstance(real, Swift):  # If-None-Match alone
        assert codes == [64] * 6 or set(codes) <= {64, 66}, [result.err for result in results]
        assert not any((tmp_path / str(i)).exists() for i in range(6))
        return
    assert codes[:3] == [0] * 3 and set(codes[3:]) <= {66, 78}, [result.err for result in results]
    shown = penates("ring", "status", ring[0], "--json", *ring[1], env=keys(real)).json
    assert shown["sealed"]
    assert sorted(node["claim"]["node"] for node in shown["nodes"]) == sorted(
        f"n{i}" for i, result in enumerate(results) if result.code == 0)


def test_a_lapsed_claim_is_taken_over(real, ring, tmp_path):
    if isinstance(real, Swift):
        pytest.skip("has no conditional writes")
    command = ["ring", "claim", ring[0], "--rack", "r", "--json", *ring[1]]
    for node in ("n0", "n1"):
        assert penates(*command, "--node", node, env=keys(real)).code == 0
    dead = penates(*command, "--node", "dead", "--lease", "5s", env=keys(real))
    assert dead.code == 0, dead.err
    result = finish(claiming(real, ring, tmp_path / "data", "n9"))  # it waits for that
    assert result.code == 0, result.err
    shown = penates("ring", "status", ring[0], "--json", *ring[1], env=keys(real)).json
    (node,) = [node for node in shown["nodes"] if node["token"] == dead.json["token"]]
    assert (node["claim"]["node"], node["claim"]["attempt"]) == ("n9", 2)
    assert node["claim"]["phase"] == "restored"
