"""What an image's Cassandra becomes: the configurations that Cassandra ships, and odd ones."""

import pathlib
import stat
import subprocess

import pytest
import yaml

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "deploy/user-data/cassandra-config"
FACTS = {"cluster_name": "it's a drill", "seeds": "10.0.0.10,10.0.1.10", "address": "10.0.0.10",
         "data_center": "us-east", "rack": "us-east-1a"}
WANTED = {"cluster_name": "it's a drill", "listen_address": "10.0.0.10", "rpc_address": "10.0.0.10",
          "endpoint_snitch": "GossipingPropertyFileSnitch",
          "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                             "parameters": [{"seeds": "10.0.0.10,10.0.1.10"}]}]}
# As the releases have these keys: 3.11's seeds without a port, 4.0's and later with one.
SHIPPED = """\
# NOTE: see https://cassandra.apache.org/doc/latest/configuration/
cluster_name: 'Test Cluster'
num_tokens: 256
# initial_token:
hints_directory: /var/lib/cassandra/hints
data_file_directories:
    - /var/lib/cassandra/data
seed_provider:
    # Addresses of hosts that are deemed contact points.
    - class_name: org.apache.cassandra.locator.SimpleSeedProvider
      parameters:
          # seeds is actually a comma-delimited list of addresses.
          # Ex: "<ip1>,<ip2>,<ip3>"
          - seeds: "127.0.0.1:7000"

# For workloads with more data than can fit in memory
concurrent_reads: 32
listen_address: localhost
# listen_interface: eth0
# broadcast_address: 1.2.3.4
rpc_address: localhost
endpoint_snitch: SimpleSnitch
client_encryption_options:
    enabled: false
"""
ODD = """\
listen_interface: eth0
seed_provider:
- class_name: org.example.OwnSeedProvider
  parameters:
  - seeds: 1.2.3.4
cluster_name : old
broadcast_address: 1.2.3.4
cluster_name: again
broadcast_rpc_address: 1.2.3.4
rpc_interface: eth0
cluster_names: mine
"""


def run(folder, facts=FACTS, text=None):
    lines = "".join(f"{name} = {value}\n" for name, value in facts.items()) if text is None else text
    return subprocess.run([PROGRAM, folder], input=lines, capture_output=True, text=True, check=False)


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "cassandra.yaml").write_text(SHIPPED)
    return tmp_path


def test_only_what_makes_a_node_of_the_ring_changes(conf):
    path = conf / "cassandra.yaml"
    path.chmod(0o640)
    assert run(conf).returncode == 0
    assert yaml.safe_load(path.read_text()) == yaml.safe_load(SHIPPED) | WANTED
    kept = [line for line in SHIPPED.splitlines() if line.startswith("#") or not line.strip()]
    assert [line for line in kept if line not in path.read_text().splitlines()] == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (conf / "cassandra-rackdc.properties").read_text() == "dc=us-east\nrack=us-east-1a\n"


def test_again_it_changes_nothing(conf):
    assert run(conf).returncode == 0
    before = {path.name: (path.read_text(), path.stat().st_ino) for path in conf.iterdir()}
    assert run(conf).returncode == 0
    assert {path.name: (path.read_text(), path.stat().st_ino) for path in conf.iterdir()} == before
    assert set(before) == {"cassandra.yaml", "cassandra-rackdc.properties"}


def test_odd_forms_and_what_is_of_another_machine(conf):
    (conf / "cassandra.yaml").write_text(ODD)
    assert run(conf).returncode == 0
    text = (conf / "cassandra.yaml").read_text()
    assert yaml.safe_load(text) == WANTED | {"cluster_names": "mine"}
    assert text.count("cluster_name:") == 1


def test_the_file_of_another_snitch_is_moved_aside(conf):
    (conf / "cassandra-topology.properties").write_text("default=DC1:r1\n")
    assert run(conf).returncode == 0
    assert not (conf / "cassandra-topology.properties").exists()
    assert (conf / "cassandra-topology.properties.before-penates").exists()


@pytest.mark.parametrize("text, message", [
    ("cluster_name = x\n", "seeds: needed once"),
    ("".join(f"{name} = {value}\n" for name, value in FACTS.items()) * 2, "cluster_name: needed once"),
    ("cluster = x\n", "line 1 is not"),
    ("rack = a\x07b\n", "line 1 is not"),
    ("", "line 1 is not"),
])
def test_what_is_no_node_is_refused(conf, text, message):
    result = run(conf, text=text)
    assert result.returncode == 64 and message in result.stderr
    assert [path.name for path in conf.iterdir()] == ["cassandra.yaml"]
    assert (conf / "cassandra.yaml").read_text() == SHIPPED


def test_an_image_without_cassandra_is_named(tmp_path):
    result = run(tmp_path)
    assert result.returncode == 66 and "does the image have Cassandra?" in result.stderr


def test_it_passes_shellcheck():
    assert subprocess.run(["shellcheck", PROGRAM], check=False).returncode == 0
