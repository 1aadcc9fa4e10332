#!/bin/sh
# Prints the Python that can make our environment: 3.11 or newer, with venv and ensurepip (Debian packs them apart).
# $PYTHON3 comes first, then python3, then python3.13 down to python3.11. If none will do, one line says what to install.
set -u
wanted='
import sys
if sys.version_info < (3, 11):
    print("old %d.%d" % sys.version_info[:2])
else:
    try:
        import ensurepip, venv
        print("good")
    except ImportError:
        print("bare %d.%d" % sys.version_info[:2])
'
found=""
for candidate in ${PYTHON3:-} python3 python3.13 python3.12 python3.11; do
    answer=$("$candidate" -c "$wanted" 2>/dev/null) || continue
    case "$answer" in
        good) command -v "$candidate"; exit 0 ;;
        bare*) found="$candidate has no venv or ensurepip: install python${answer#bare }-venv (Debian, Ubuntu: apt-get install python${answer#bare }-venv)"; break ;;
        old*) [ -n "$found" ] || found="$candidate is ${answer#old }, and lambdanb needs 3.11 or newer: install python3.11, or say which Python to take: make PYTHON3=/path/to/python3" ;;
    esac
done
echo "lambdanb: ${found:-no python3 was found: install Python 3.11 or newer with its venv (Debian, Ubuntu: apt-get install python3-venv)}" >&2
exit 1
