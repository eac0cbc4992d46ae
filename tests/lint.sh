#!/usr/bin/env bash
# Style is a program: each check prints what is wrong and where, and fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export LC_ALL=C.UTF-8 # columns are counted in characters
failed=0
mapfile -t sources < <(git ls-files '*.c' '*.h')
mapfile -t ours < <(git ls-files 'agent/*.[ch]' 'codec/*.[ch]' 's3/*.[ch]')

complain() { # complain TITLE TEXT
    [ -z "$2" ] && return
    printf '%s:\n%s\n' "$1" "$2"
    failed=1
}

# The formatter's version decides some line breaks, so only the one we format with is a judge.
if clang-format --version | grep -q 'version 14\.'; then
    complain 'not formatted (clang-format -i)' \
        "$(clang-format --dry-run --Werror "${sources[@]}" 2>&1 | head -n 20)"
fi

banned='strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|strtol|strtoul|gets|localtime|gmtime|rand'
banned="$banned|system|popen|signal|setenv|alloca"
complain 'banned functions' "$(grep -nE "(^|[^[:alnum:]_>.])($banned)\(" "${ours[@]}")"
complain 'memory that is not from base/mem.h' "$(grep -nE \
    '(^|[^[:alnum:]_])(malloc|calloc|realloc|strdup|strndup)\(' "${ours[@]}" | grep -v '^agent/base/')"
# In pieces, so that this line is not one of them.
unfinished='TO''DO|FIX''ME|XX''X|HA''CK'
complain 'unfinished by its own word' "$(git grep -nE "\b($unfinished)\b" -- '*.c' '*.h' '*.py' '*.sh')"

# Layers: base <- codec, base <- s3, {codec, s3} <- agent.
complain 'base looks up' "$(grep -nE '#include "(agent/[^b]|s3/|codec/)' agent/base/*.[ch])"
complain 'codec looks up or sideways' "$(grep -nE '#include "(agent/[^b]|s3/)' codec/*.[ch])"
complain 's3 looks up or sideways' "$(grep -nE '#include "(agent/[^b]|codec/)' s3/*.[ch])"

complain 'files of more than 700 lines' "$(wc -l "${ours[@]}" | awk '$1 > 700 && $2 != "total"')"
complain 'lines of more than 100 columns' "$(grep -nE '^.{101,}$' "${ours[@]}" | head)"
complain 'top level holds more than it should' "$(git ls-tree --name-only HEAD | grep -vE \
    '^(\..*|LICENSE|CMakeLists\.txt|README\.md|agent|s3|codec|tests|deploy|cloudformation)$')"

mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
complain 'shell scripts' "$(shellcheck "${scripts[@]}" 2>&1)"

if [ "${LINT_TIDY:-1}" = 1 ]; then
    CC=clang cmake -G Ninja -S . -B build-tests/tidy -DPENATES_TESTS=OFF >/dev/null
    mapfile -t units < <(git ls-files 'agent/*.c' 'codec/*.c' 's3/*.c')
    complain 'clang-tidy' "$(printf '%s\n' "${units[@]}" |
        xargs -P "$(nproc)" -n 6 clang-tidy -p build-tests/tidy --quiet 2>/dev/null |
        grep -E 'warning:|error:' | sort -u | head -n 40)"
fi
exit "$failed"
