#!/usr/bin/env bash
# Make the Python environments below build/, from their lock files: build/venv (tools, tests, servers) and build/emulator
# (the AWS emulator and the functions it runs); only with the argument of that name build/localstack (LocalStack as a
# plain process, for `make test-localstack`), build/baseline (what `make bench` compares with) and build/policies (what
# `make check` asks about the templates). One that is complete and current is left alone; one that is not, because its lock
# file changed, the folder moved, or an earlier run was interrupted, is made anew.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    local reason
    if grep -qaE 'NewConnectionError|NameResolutionError|ConnectTimeoutError|Network is unreachable' "$log"; then
        reason="no connection to the package index, check the network"
    else
        reason=$(tail -n 1 "$log")
    fi
    echo "error: $1 failed (${reason:-no output}): see $log, then run the command again" >&2
    exit 1
}

fingerprint() {
    { cat "$@" && pwd; } | cksum
}

is_complete() { # ENVIRONMENT LOCK
    [ "$(cat "$1/.complete" 2>/dev/null)" = "$(fingerprint "$2")" ] && "$1/bin/python" -c '' 2>/dev/null
}

# Wait for another set-up of this folder to end. The lock lives in descriptor 9, so it ends with this script.
wait_for_others() {
    exec 9>build/.setup.lock
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

# Servers must not run on programs that are about to be deleted.
stop_servers() {
    [ ! -x build/venv/bin/python ] || PYTHONPATH=localstack build/venv/bin/python -m embedded down >/dev/null 2>&1 || true
}

make_environment() { # ENVIRONMENT LOCK
    environment=$1 # global, because the trap needs it
    local lock=$2
    log=$environment.log
    is_complete "$environment" "$lock" && return
    python=${python:-$(infra/python.sh)}
    mkdir -p build
    wait_for_others
    is_complete "$environment" "$lock" && return
    echo "setup: installing $environment from $lock (a minute or so, once)"
    trap 'rm -rf "$environment"' EXIT
    case $environment in build/venv | build/emulator) stop_servers ;; esac
    rm -rf "$environment"
    "$python" -m venv "$environment" >"$log" 2>&1 || fail "making $environment"
    "$environment/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes -r "$lock" \
        >>"$log" 2>&1 || fail "installing packages into $environment"
    fingerprint "$lock" >"$environment/.complete"
    trap - EXIT
}

# Sluice itself, editable: redone when what pyproject.toml says of the packages may have changed.
install_sluice() {
    local stamp=build/venv/.sluice
    log=build/venv.log
    [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint pyproject.toml)" ] && return
    echo "setup: installing sluice, editable"
    build/venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation -e . \
        >>"$log" 2>&1 || fail "installing sluice into build/venv"
    fingerprint pyproject.toml >"$stamp"
}

make_environment build/venv requirements.lock
install_sluice
make_environment build/emulator localstack/embedded/requirements.lock
case ${1:-} in
    localstack) make_environment build/localstack localstack/runtime/requirements.lock ;;
    policies) make_environment build/policies infra/aws/requirements.lock ;;
    baseline) make_environment build/baseline tests/benchmarks/requirements.lock ;;
esac
