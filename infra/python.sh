#!/usr/bin/env bash
# Print the path of a Python 3.13 that runs and can make virtual environments: $PYTHON, else the first one found in the
# places where it is usually installed. A name on PATH proves nothing: it may be a shim for a version that is not chosen.
set -u

candidates() {
    type -aP python3.13 python3 python
    local path
    for path in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
        /usr/local/bin/python3.13 /opt/homebrew/bin/python3.13 \
        "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}"/cpython-3.13*/bin/python3.13; do
        [ -x "$path" ] && printf '%s\n' "$path"
    done
}

works() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    works "$PYTHON" && exec printf '%s\n' "$PYTHON"
    echo "error: PYTHON=$PYTHON is not a Python 3.13 with its venv module: correct it, or unset it" >&2
    exit 1
fi
while IFS= read -r candidate; do
    works "$candidate" && exec printf '%s\n' "$candidate"
done < <(candidates)
echo "error: Python 3.13 was not found: install it (for example python3.13 with python3.13-venv, \`brew install python@3.13\`," \
    "\`pyenv install 3.13\`, \`uv python install 3.13\`), or set PYTHON to its path" >&2
exit 1
