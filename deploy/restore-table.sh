#!/usr/bin/env bash
# deploy/restore-table.sh SOURCE KS.TABLE [options] [-- penates options]
#
# Brings one table back from the backups of a cluster's nodes into a running cluster, which may be
# another one with other nodes, tokens and table ids, and counts its rows before and after:
#
#   restore-table.sh s3://my-bucket/backup shop.orders --host 10.0.0.1 -- --at 2026-11-23T07:54:30Z
#
# KS.TABLE is spelt as in the backup's directories: upper case counts, and there are no quotes.
#
#   --host HOST[,HOST]  nodes of the cluster to load into; default: 127.0.0.1
#   --port PORT         their CQL port; default: that of cqlsh and sstableloader
#   --by loader|import  loader (default): sstableloader streams every node's files to whoever owns
#                       the rows, whatever the tokens, through secondary indexes and materialized
#                       views. import: nodetool import moves the files of one backed up node into
#                       the node that this runs on, which has the same tokens and Cassandra 4.0 or
#                       later. WORK is best on the file system of its data, though not inside
#                       the data directory, which penates keeps out of; its files must belong to
#                       Cassandra's user (-- --owner cassandra:cassandra)
#   --to KS.TABLE       load into this table instead: same columns, other name; it must exist
#   --create            if the table is missing, create it with its types, indexes and views as the
#                       backup has it; the keyspace must exist, its replication is not in a backup
#   --work DIR          where the files lie in between; default: ./restore-KS.TABLE. It must not
#                       exist, or be what an earlier run left
#   --keep              leave the files in WORK after success
#   --expect-rows N     the count must be N afterwards
#   --no-count          count nothing
#   --count-timeout S   how long one count may take; default: 3600 s
#   --add-counters      load a counter table into one that has rows
#   -h, --help          this text
#
# What comes after "--" goes to `penates restore` (--cluster, --token, --at, --memory ...; with
# --create only what `penates plan` takes too). Without --token the loader takes all nodes.
#
# Counting is SELECT count(*) at CONSISTENCY ALL. It reads the whole table on every replica, twice
# in all, a page of 1000 rows at a time, so that no page runs into the server's timeout; a large
# table takes minutes to hours, and --no-count skips it. The script fails when files came and no
# row is there, when there are fewer rows than before, or not N. Rows that the target deleted
# after the backup's time stay deleted: load into an empty table to see them.
#
# Run again after a failure, it goes on: files that are there are not fetched again, and nodes that
# were loaded are not loaded again. WORK is removed after success. Loading rows twice changes
# nothing. Counters are different: what another cluster counted is added to what the target counted,
# and of what one node counted the newest wins; so a counter table that has rows is refused.
#
# Programs come from PATH, or from variables, which may hold options, split at blanks:
# PENATES, SSTABLELOADER, NODETOOL, CQLSH. Passwords belong into the programs' own files, as in
#   CQLSH='cqlsh --cqlshrc=/etc/cassandra/cqlshrc' SSTABLELOADER='sstableloader -f /etc/loader.yaml'
#
# Exit codes are those of penates; 65 also: the rows are not as they should be; 69: the target does
# not answer, or a program is missing; 75: loading failed, run the same command again; 78: refused.
set -euo pipefail

name=restore-table.sh
exec 8>&2 # where errors go, also those of a signal while stderr is a program's log

say() {
    printf '%s: %s\n' "$name" "$*"
}

fail() { # fail CODE WHAT-AND-WHY NEXT-STEP
    printf '%s: error: %s; %s\n' "$name" "$2" "$3" >&8
    exit "$1"
}

usage() {
    fail 64 "$1" "see $name --help"
}

# A table as its directories spell it; Cassandra has no other letters in names.
is_table() {
    [[ $1 =~ ^[A-Za-z0-9_]+\.[A-Za-z0-9_]+$ ]]
}

source='' table='' to='' host=127.0.0.1 port='' by=loader work='' expect='' count_timeout=3600
create=false keep=false count=true add_counters=false
penates_options=()

parse() {
    local words=()
    while [ $# -gt 0 ]; do
        case "$1" in
        -h | --help)
            sed -n '/^# deploy/,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        --create) create=true ;;
        --keep) keep=true ;;
        --no-count) count=false ;;
        --add-counters) add_counters=true ;;
        --host | --port | --by | --to | --work | --expect-rows | --count-timeout)
            [ $# -gt 1 ] || usage "$1 wants a value"
            take "$1" "$2"
            shift
            ;;
        --*=*) take "${1%%=*}" "${1#*=}" ;;
        --)
            shift
            penates_options=("$@")
            break
            ;;
        -*) usage "unknown option '$1'" ;;
        *) words+=("$1") ;;
        esac
        shift
    done
    [ "${#words[@]}" -eq 2 ] || usage "wanted SOURCE and KS.TABLE, got ${#words[@]} arguments"
    source=${words[0]}
    table=${words[1]}
}

take() { # take OPTION VALUE
    case "$1" in
    --host) host=$2 ;;
    --port) port=$2 ;;
    --by) by=$2 ;;
    --to) to=$2 ;;
    --work) work=$2 ;;
    --expect-rows) expect=$2 ;;
    --count-timeout) count_timeout=$2 ;;
    *) usage "unknown option '$1'" ;;
    esac
}

check_options() {
    local option
    is_table "$table" || usage "'$table' is not a KS.TABLE"
    [ -n "$to" ] || to=$table
    is_table "$to" || usage "'$to' is not a KS.TABLE"
    [[ $host =~ ^[^-,[:space:]][^[:space:]]*$ ]] || usage "'$host' is not a host"
    [[ $by =~ ^(loader|import)$ ]] || usage "--by is 'loader' or 'import', not '$by'"
    for option in "port:$port" "expect-rows:$expect" "count-timeout:$count_timeout"; do
        [[ ${option#*:} =~ ^[0-9]*$ ]] || usage "--${option%%:*} wants a number"
    done
    if [ -n "$expect" ] && ! $count; then
        usage '--expect-rows needs a count, and --no-count forbids it'
    fi
    if $create && [ "$to" != "$table" ]; then
        usage '--create makes the table as the backup has it, and --to wants another'
    fi
    for option in ${penates_options[@]+"${penates_options[@]}"}; do
        case "${option%%=*}" in
        --include | --exclude | --into | --layout | --as | --plan | --replace | --json)
            usage "${option%%=*} is this script's own"
            ;;
        esac
    done
    [ -n "$work" ] || work=./restore-$table
}

read_programs() {
    local program
    read -ra penates <<<"${PENATES:-penates}"
    read -ra sstableloader <<<"${SSTABLELOADER:-sstableloader}"
    read -ra nodetool <<<"${NODETOOL:-nodetool}"
    read -ra cqlsh <<<"${CQLSH:-cqlsh}"
    if [ "$by" = loader ]; then program=${sstableloader[0]}; else program=${nodetool[0]}; fi
    for program in "${penates[0]}" "${cqlsh[0]}" "$program"; do
        command -v "$program" >/dev/null ||
            fail 69 "no program '$program'" 'install it, or name it in a variable (see --help)'
    done
}

# A child in the background can be ended when this script is told to end. It inherits the lock of
# WORK, so that one which outlives a killed script keeps the next run out.
child=''
run() { # run COMMAND...
    local code=0
    "$@" &
    child=$!
    wait "$child" || code=$?
    child=''
    return "$code"
}

interrupted() {
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    fail 75 'interrupted' 'run the same command again'
}

answer=''
cql() { # cql -e STATEMENTS, or -f FILE: leaves what cqlsh prints in `answer`
    local code=0
    run "${cqlsh[@]}" --request-timeout="$count_timeout" "$@" "${host%%,*}" ${port:+"$port"} \
        </dev/null >"$work/cqlsh.out" 2>"$work/cqlsh.err" || code=$?
    if [ "$code" -ne 0 ]; then
        fail 69 "cqlsh: $(grep -v '^[[:space:]]*$' "$work/cqlsh.err" | tail -n 1)" \
            "see whether ${host%%,*} and every replica answer, and run the same command again"
    fi
    answer=$(<"$work/cqlsh.out")
}

# WORK holds: request, what was asked for; files/, what penates restores; table-before, the count;
# loaded, one line for each node that is loaded; lock, and what the programs printed.
open_work() {
    local request
    request=$(printf '%s\n' "$source" "$table" "$to" "$host" "$by" \
        ${penates_options[@]+"${penates_options[@]}"})
    if [ -e "$work" ] && [ ! -f "$work/request" ]; then
        fail 78 "$work: exists, and is not of an earlier run" 'name another directory with --work'
    fi
    mkdir -p "$work" 2>/dev/null || fail 73 "$work: cannot be created" 'name another with --work'
    exec 9>>"$work/lock"
    flock -n 9 || fail 78 "$work: another run is at work" 'wait for it'
    if [ ! -e "$work/files" ]; then # nothing has been fetched or loaded yet
        printf '%s\n' "$request" >"$work/request"
    elif [ "$request" != "$(cat "$work/request")" ]; then
        fail 78 "$work: holds an earlier run that was asked for something else" \
            'repeat that command, name another directory with --work, or remove this one'
    fi
    : >>"$work/loaded"
}

read_schema() { # read_schema KS TABLE: what the target has of that name, as JSON lines
    cql -e "SELECT JSON keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = '$1';
         SELECT JSON table_name, flags FROM system_schema.tables
             WHERE keyspace_name = '$1' AND table_name = '$2';
         SELECT JSON view_name, base_table_name FROM system_schema.views
             WHERE keyspace_name = '$1';"
}

create_table() {
    local code=0
    say "creating $table in the target, as the backup has it"
    choose_tokens
    run "${penates[@]}" plan "$source" --include "$table" --schema ${tokens[@]+"${tokens[@]}"} \
        ${penates_options[@]+"${penates_options[@]}"} >"$work/schema.cql" || code=$?
    [ "$code" -eq 0 ] || exit "$code" # penates has said why
    cql -f "$work/schema.cql"
}

is_counter=false
check_target() {
    local ks=${to%%.*} cf=${to#*.}
    read_schema "$ks" "$cf"
    if [[ $answer != *'"keyspace_name"'* ]]; then
        fail 78 "$ks: no such keyspace in the target" 'create it, with the replication it is to have'
    fi
    if [[ $answer != *"\"table_name\": \"$cf\""* ]] && $create; then
        create_table
        read_schema "$ks" "$cf"
    fi
    if [[ $answer == *"\"view_name\": \"$cf\""* ]]; then
        fail 78 "$to: is a materialized view" 'load the table that it is made of'
    fi
    if [[ $answer != *"\"table_name\": \"$cf\""* ]]; then
        fail 78 "$to: no such table in the target" 'create it, or use --create'
    fi
    if [ "$by" = import ] && [[ $answer == *"\"base_table_name\": \"$cf\""* ]]; then
        fail 78 "$to: has materialized views, which nodetool import does not fill" \
            'use --by loader, or drop the views and create them again afterwards'
    fi
    if [[ $answer == *'"counter"'* ]]; then is_counter=true; fi
}

# The loader takes all nodes, and a node imports its own.
tokens=()
choose_tokens() {
    local option
    tokens=(--token all)
    for option in ${penates_options[@]+"${penates_options[@]}"}; do
        case "${option%%=*}" in --token) tokens=() ;; esac
    done
    if [ "$by" = import ] || [ -n "${PENATES_TOKEN:-}" ]; then tokens=(); fi
}

fetch() {
    local options=() code=0
    choose_tokens
    if [ "$to" != "$table" ]; then options=(--as "$to"); fi
    run "${penates[@]}" restore "$source" --include "$table" --layout loader \
        --into "$work/files" ${tokens[@]+"${tokens[@]}"} ${options[@]+"${options[@]}"} \
        ${penates_options[@]+"${penates_options[@]}"} || code=$?
    [ "$code" -eq 0 ] || exit "$code" # penates has said why
}

# One directory for each node: files/TOKEN/KS/TABLE, or files/KS/TABLE of the only one.
find_directories() {
    local place=${to%%.*}/${to#*.}
    if [ -d "$work/files/$place" ]; then
        directories=("$work/files/$place")
    else
        directories=("$work"/files/*/"$place")
    fi
    [ -d "${directories[0]}" ] ||
        fail 66 "$table: the backup has no files of it" 'choose another time with -- --at'
}

# Before anything of it is loaded; a run that goes on has asked already.
guard_counters() {
    if $is_counter && [ ! -f "$work/guarded" ]; then
        cql -e "CONSISTENCY ALL; SELECT * FROM \"${to%%.*}\".\"${to#*.}\" LIMIT 1"
        if [[ $answer == *'(1 rows)'* ]] && ! $add_counters; then
            fail 78 "$to: is a counter table and has rows, to which the backup's would be added" \
                'truncate it, load into another table with --to, or insist with --add-counters'
        fi
        : >"$work/guarded"
    fi
}

rows=''
count_rows() { # leaves their number in `rows`
    cql -e "CONSISTENCY ALL; PAGING 1000; SELECT count(*) FROM \"${to%%.*}\".\"${to#*.}\""
    rows=$(sed -n '/^ *count *$/,$s/^ *\([0-9][0-9]*\) *$/\1/p' <<<"$answer")
    [ -n "$rows" ] || fail 69 'cqlsh printed no count' "see $work/cqlsh.out"
}

load() { # load DIRECTORY
    local log=$work/load.log code=0
    if [ "$by" = loader ]; then
        run "${sstableloader[@]}" -d "$host" ${port:+-p "$port"} "$1" </dev/null >"$log" 2>&1 ||
            code=$?
    else
        # Cassandra, which opens it, has another working directory.
        run "${nodetool[@]}" import "${to%%.*}" "${to#*.}" "$(cd "$1" && pwd)" \
            </dev/null >"$log" 2>&1 || code=$?
    fi
    if [ "$code" -ne 0 ]; then
        grep -vE '^\s+at |^progress:' "$log" | tail -n 20 >&2 || true
        fail 75 "$1: not loaded, exit code $code of $by" \
            'put right what is said above, and run the same command again'
    fi
    # It goes on without an SSTable that it cannot open, and ends with 0.
    if grep -F 'Skipping file' "$log" >&2; then
        fail 65 "$1: sstableloader left files out" 'see what is said above'
    fi
}

load_all() {
    local directory began
    for directory in "${directories[@]}"; do
        if grep -qxF "${directory#"$work/"}" "$work/loaded"; then
            say "loaded already: $directory"
            continue
        fi
        began=$SECONDS
        load "$directory"
        printf '%s\n' "${directory#"$work/"}" >>"$work/loaded"
        say "loaded: $directory, $((SECONDS - began)) s"
    done
}

check_counts() { # check_counts BEFORE AFTER
    say "$to: $1 rows before, $2 rows after"
    if [ -n "$expect" ]; then
        [ "$2" -eq "$expect" ] || fail 65 "$to: $2 rows, expected $expect" "look at $work"
    elif [ "$2" -eq 0 ]; then
        fail 65 "$to: files came, and no row is there" \
            'all may be deleted or expired: then --expect-rows 0 accepts it'
    fi
    [ "$2" -ge "$1" ] || fail 65 "$to: $2 rows after and $1 before" \
        'see who deletes; the backup may hold deletions of rows that the target had'
    if [ "$2" -eq "$1" ]; then
        say 'no row is new: each was there, or was deleted in the target after the backup'
    fi
}

# Only what this script and penates put there.
clean_up() {
    if $keep; then
        say "the files are in $work/files"
        return
    fi
    rm -rf -- "$work/files"
    rm -f -- "$work"/{request,loaded,guarded,before,schema.cql,cqlsh.out,cqlsh.err,load.log,lock}
    rmdir -- "$work" 2>/dev/null || say "$work holds something else, too"
}

parse "$@"
check_options
read_programs
trap interrupted INT TERM
open_work
check_target
fetch
find_directories
guard_counters
if $count && [ ! -f "$work/before" ]; then
    count_rows
    printf '%s\n' "$rows" >"$work/before"
fi
load_all
if $count; then
    count_rows
    check_counts "$(cat "$work/before")" "$rows"
fi
clean_up
say "done: $table of ${#directories[@]} backed up node(s) is in $to"
