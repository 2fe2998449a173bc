#!/usr/bin/env bash
# Make the virtual environment: virtual-environment.sh FOLDER
set -euo pipefail
folder=$1

right_version='import sys; sys.exit(not (3, 11) <= sys.version_info[:2])'
python=""
for name in ${PYTHON3:-} python3.11 python3.12 python3.13 python3; do
    if "$name" -c "$right_version" 2>/dev/null; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    echo "HemaTally needs Python 3.11 or newer. Install it, or name it: make run PYTHON3=/path/to/python3" >&2
    exit 1
fi

# Debian keeps ensurepip, which venv needs, in a package of its own.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Debian's python3-venv..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            python3-venv >/dev/null
    else
        echo "This Python cannot make virtual environments. Run: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi

# Half an environment would look like a whole one to the next `make`.
trap 'rm -rf "$folder"' ERR INT TERM
"$python" -m venv --clear "$folder"
