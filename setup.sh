#!/bin/sh
# Installs the packages that building adavic needs, where they are missing: as root, or by sudo; else prints
# the one command. On a machine that has them it only asks dpkg, which takes some milliseconds.
set -eu

packages="gcc make flex bison llvm-19-dev zlib1g-dev libopenblas-serial-dev"
# never installed here: clang-format, for `make fmt` and `make lint` alone; gnuplot-nox, for the figure of the tutorial;
# mandoc or groff, for a test of the manual pages

if ! command -v dpkg-query >/dev/null 2>&1; then
    missing=
    for tool in gcc make flex bison llvm-config-19; do
        command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
    [ -z "$missing" ] && exit 0
    echo "setup: not a Debian system; please install, by its own means:$missing (and zlib's headers)" >&2
    exit 1
fi

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
else
    echo "setup: missing packages; please run as root:" >&2
    echo "  apt-get update && $install" >&2
    exit 1
fi
echo "setup: installing$missing" >&2
$as_root apt-get update -q
DEBIAN_FRONTEND=noninteractive $as_root $install
