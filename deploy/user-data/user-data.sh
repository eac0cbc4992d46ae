#!/bin/sh
# User data of a node whose image has Cassandra and penates, and penates-restore.service enabled: a
# script runs after the services of the boot, and only that keeps Cassandra waiting for it. Replace the values; a template's ${...}
# may stand in their place: what comes between the two PENATES_PARAMETERS is text, whatever is in it.
set -eu
# apply-yaml writes there, as the user of Cassandra.
chown cassandra:cassandra /etc/cassandra /etc/cassandra/cassandra.yaml
/usr/lib/penates/user-data <<'PENATES_PARAMETERS'
ring = s3://STATE-BUCKET/PREFIX/plans/ID.json
slot = auto
into = /var/lib/cassandra/data
apply-yaml = /etc/cassandra/cassandra.yaml
PENATES_PARAMETERS
