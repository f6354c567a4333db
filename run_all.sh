#!/usr/bin/env bash
# Renders the whole study, runs the tests or opens JupyterLab, and makes the Python environment for it where there is none.
# Needs bash (3.2 or newer) and Python 3.11-3.13. See ./run_all.sh --help and README.md.
set -euo pipefail

CALLER_DIR=$PWD
ROOT=$(cd -P "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VENV=$ROOT/.venv
LOG=$VENV/install.log
UNFINISHED=$VENV/.mtt-unfinished  # stands while packages are being installed
CHILD=""                          # process group of the command that `attend` waits for

say() { printf '%s\n' "$*" >&2; }
fail() { say "run_all.sh: $*"; exit 1; }

show_help() {
    cat <<HELP
usage: run_all.sh [OPTION]...               renders the study: executes every notebook and writes reports/index.html
       run_all.sh test [PYTEST ARGUMENT]...     checks the code with ruff, then runs the tests
       run_all.sh lab [JUPYTER ARGUMENT]...     opens JupyterLab at notebooks/

Relative paths start from the folder you are in. A study that was stopped goes on where it was: run the same command again.

Environment: MTT_PYTHON, or else the activated virtual or conda environment, is used as it is when it has the packages of
pyproject.toml. Otherwise .venv is made from requirements.lock, once, and needs the network only then.
Exit status: 0 done, 1 failed with a one-line reason, 2 wrong usage.

HELP
    cd "$ROOT"
    if use_active_environment study 2>/dev/null || { is_complete && PYTHON=$VENV/bin/python; }; then
        export PYTHONPATH=$ROOT
        "$PYTHON" -m mtt study --help && exec "$PYTHON" -m mtt collections
    fi
    echo "The options of the study are listed here too once the environment is there; to make it now: run_all.sh --profile smoke"
}

# ---- waiting, stopping -----------------------------------------------------------------------------------------------

stop() {
    trap '' INT TERM HUP
    if [ -n "$CHILD" ]; then
        kill -TERM -- "-$CHILD" 2>/dev/null || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$CHILD" 2>/dev/null && sleep 0.5; done  # then no more is waited for
        kill -KILL -- "-$CHILD" 2>/dev/null || true
        wait "$CHILD" 2>/dev/null || true
    fi
    say "run_all.sh: stopped; run it again to go on"
    exit 130
}

# Runs a command in a process group of its own, so that `stop` ends all of it. On a terminal it shows its own progress;
# elsewhere its output goes to the log and a line every ten seconds says that it is alive.
attend() {
    local next=$((SECONDS + 10)) status=0 line
    set -m
    if [ -t 2 ]; then "$@" </dev/null >&2 & else "$@" </dev/null >>"$LOG" 2>&1 & fi
    CHILD=$!
    set +m
    if [ ! -t 2 ]; then
        while kill -0 "$CHILD" 2>/dev/null; do
            sleep 0.2
            if [ $SECONDS -ge $next ]; then
                line=$(tail -n 1 "$LOG")
                say "  $SECONDS s: ${line:-preparing}"
                next=$((SECONDS + 10))
            fi
        done
    fi
    wait "$CHILD" || status=$?
    CHILD=""
    return $status
}

# ---- the environment -------------------------------------------------------------------------------------------------

# Which requirement of pyproject.toml an interpreter does not meet.
CHECK='
import importlib.metadata, sys
if not (3, 11) <= sys.version_info[:2] < (3, 14):
    sys.exit("is Python %d.%d, not 3.11-3.13" % sys.version_info[:2])
import tomllib
try:
    from packaging.requirements import Requirement
except ImportError:
    sys.exit("lacks packaging")
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extra = project["optional-dependencies"]["dev"] if sys.argv[1] == "test" else []
for requirement in map(Requirement, project["dependencies"] + extra):
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        sys.exit("lacks %s" % requirement)
    if not requirement.specifier.contains(version, prereleases=True):
        sys.exit("has %s %s, not %s" % (requirement.name, version, requirement))
'

shortcoming() {  # says what an interpreter lacks and fails, or succeeds
    local reason
    reason=$("$1" -c "$CHECK" "$2" 2>&1) && return
    reason=${reason##*$'\n'}
    printf '%s' "${reason:-does not run}"
    return 1
}

use_active_environment() {  # sets PYTHON to the caller's own interpreter when it will do
    local python reason
    if [ -n "${MTT_PYTHON:-}" ]; then
        python=$(cd "$CALLER_DIR" && command -v "$MTT_PYTHON") || fail "MTT_PYTHON=$MTT_PYTHON is not a program"
        case $python in /*) ;; *) python=$CALLER_DIR/$python ;; esac
        reason=$(shortcoming "$python" "$1") || fail "MTT_PYTHON=$MTT_PYTHON $reason; install it there, or unset MTT_PYTHON"
        PYTHON=$python
        return 0
    fi
    for python in "${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/python}" "${CONDA_PREFIX:+$CONDA_PREFIX/bin/python}"; do
        if [ ! -x "$python" ] || [ "$python" = "$VENV/bin/python" ]; then continue; fi
        if reason=$(shortcoming "$python" "$1"); then
            PYTHON=$python
            return 0
        fi
        say "The active environment ${python%/bin/python} $reason: using .venv instead."
    done
    return 1
}

find_python() {  # sets BASE_PYTHON; first the version the lock was tried with
    local name version found="" without_venv=""
    for name in python3.11 python3.12 python3.13 python3 python; do
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        case $version in
            3.11 | 3.12 | 3.13) ;;
            *) found=${found:-" ($name is Python $version)"} && continue ;;
        esac
        if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            BASE_PYTHON=$name
            return
        fi
        without_venv=${without_venv:-$version}
    done
    [ -z "$without_venv" ] ||
        fail "Python $without_venv lacks its venv module; on Debian and Ubuntu: apt-get install python$without_venv-venv"
    fail "no Python 3.11, 3.12 or 3.13 was found$found; install one, or activate an environment made from environment.yml"
}

# The stamp of a complete environment: its name holds a hash of the lock and of the Python version, its interpreter works.
is_complete() {
    STAMP=$("$VENV/bin/python" -c '
import hashlib, sys
with open("requirements.lock", "rb") as file:
    print(hashlib.sha256(file.read() + repr(sys.version_info[:2]).encode()).hexdigest()[:12])
' 2>/dev/null) || return 1
    STAMP=$VENV/.mtt-$STAMP
    [ -e "$STAMP" ] && [ ! -e "$UNFINISHED" ]
}

require_room() {
    local needed=6 free  # GB: 5.5 for CUDA's libraries and all else, and some air
    [ "$(uname -s)" = Linux ] || needed=2
    free=$(df -Pk "$ROOT" | awk 'NR == 2 { print int($4 / 1000000) }')
    [ "${free:-$needed}" -ge "$needed" ] ||
        fail "the environment needs $needed GB and $ROOT has $free GB free; make room, or set MTT_PYTHON to an environment elsewhere"
}

# One installation at a time: the lock is the shell's open file, so it goes with the process that holds it, however that ends.
take_turn() {
    local flock='
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | (fcntl.LOCK_NB if sys.argv[1] == "now" else 0))
except BlockingIOError:
    sys.exit(1)
except OSError:  # a file system without locks
    pass
'
    exec 9>"$ROOT/.venv.lock"
    "$BASE_PYTHON" -c "$flock" now && return
    say "Another run_all.sh is making the environment: waiting for it."
    set -m
    "$BASE_PYTHON" -c "$flock" wait &
    CHILD=$!
    set +m
    wait "$CHILD"
    CHILD=""
}

install_tools() {  # uv, and setuptools to build what has no wheel: at the versions and with the hashes of the lock
    awk '/^(setuptools|uv)==/ { found = 1 } found { print } !/\\$/ { found = 0 }' requirements.lock >"$VENV/tools.txt"
    attend "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$VENV/tools.txt"
}

install_packages() {
    local uv=("$VENV/bin/python" -m uv pip install --python "$VENV/bin/python" --no-build-isolation)
    local pip=("$VENV/bin/python" -m pip install --disable-pip-version-check --no-build-isolation --use-pep517)
    install_tools || return 1
    if attend "${uv[@]}" --require-hashes -r requirements.lock; then
        attend "${uv[@]}" --offline --no-deps --editable .
    else
        say "uv could not install the packages: trying pip, which is slower but has its own settings for mirrors and proxies."
        attend "${pip[@]}" --require-hashes -r requirements.lock && attend "${pip[@]}" --no-index --no-deps --editable .
    fi
}

make_environment() {
    [ -w "$ROOT" ] || fail "$ROOT cannot be written to; copy the project to a folder of yours, or set MTT_PYTHON"
    [ "$(uname -sm)" != "Darwin x86_64" ] || fail "PyTorch 2.11 has no build for Intel Macs; use Apple silicon or Linux"
    find_python
    take_turn
    if is_complete; then return; fi
    if ls "$VENV"/.mtt-* >/dev/null 2>&1; then
        mv "$VENV" "$VENV.old.$$"  # interrupted, or of another lock: made anew, from what uv has in its cache
    elif [ -e "$VENV" ]; then  # not made by this script: completed, never deleted
        "$VENV/bin/python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null ||
            fail "$VENV is no environment of a Python 3.11-3.13; move it away, then run this again"
    fi
    rm -rf "$VENV".old.*
    require_room
    say "Making the environment in .venv: once, with the network; it takes a while and, with CUDA's libraries, 5.5 GB."
    SECONDS=0
    mkdir -p "$VENV"
    : >"$UNFINISHED" && : >"$LOG"
    [ -x "$VENV/bin/python" ] || attend "$BASE_PYTHON" -m venv "$VENV" || explain_failure "Python could not make .venv"
    install_packages || explain_failure "the packages could not be installed"
    rm -f "$UNFINISHED"
    is_complete || : >"$STAMP"  # last of all
    say "The environment is ready ($SECONDS s)."
}

explain_failure() {
    [ -t 2 ] || tail -n 15 "$LOG" >&2
    fail "$1 (see above); check the network and the free space, then run it again: it goes on from what it has downloaded"
}

# ---- main ------------------------------------------------------------------------------------------------------------

prepare() {  # sets PYTHON, and surroundings that hold on bare machines too
    cd "$ROOT"
    if [ ! -d "${HOME:-}" ] || [ ! -w "${HOME:-}" ]; then
        export HOME=$ROOT/cache/home  # uv, numba, matplotlib and Jupyter keep files there
        mkdir -p "$HOME" || fail "neither HOME nor $ROOT can be written to; set HOME to a folder of yours"
    fi
    unset PYTHONHOME
    unset PYTHONDONTWRITEBYTECODE  # or each of many worker processes compiles all packages again
    export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-120} PIP_USER=0
    trap stop INT TERM HUP
    if use_active_environment "$1"; then
        export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}
    else
        export PYTHONPATH=$ROOT
        if ! is_complete; then make_environment; fi
        exec 9>&-
        PYTHON=$VENV/bin/python
    fi
    trap - INT TERM HUP
}

case ${1:-} in
    -h | --help)
        show_help
        ;;
    test)
        shift
        prepare test
        "$PYTHON" -m ruff check . || fail "ruff found faults in the code (see above)"
        "$PYTHON" -m ruff format --check --quiet . || fail "ruff would lay the files above out anew: ruff format"
        if [ $# -eq 0 ]; then  # several files at a time; xdist can wait forever for a process that it starts after a crash
            set -- -n auto --maxprocesses 4 --max-worker-restart 0 --dist loadfile
        fi
        exec "$PYTHON" -m pytest "$@"
        ;;
    lab)
        shift
        prepare lab
        exec "$PYTHON" -m jupyterlab --notebook-dir="$ROOT/notebooks" "$@"
        ;;
    *)
        prepare study
        cd "$CALLER_DIR"
        exec "$PYTHON" -m mtt study "$@"
        ;;
esac
