#!/bin/sh
# Sees to the servers that the tests run for themselves (see tests/servers/), to the browser of the page's test, and to
# what drives the benchmarks.
# Installs what is missing where that is possible: on Debian and its kin, as root. Never starts anything, and never
# fails: the tests decide whether a missing server is to be borne.
set -eu

# Servers live where an ordinary user's PATH does not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/libexec

installed() {
    command -v "$1" >/dev/null
}

missing=
if ! installed mariadb-install-db || { ! installed mariadbd && ! installed mysqld; }; then
    missing="$missing mariadb-server"
fi
if ! installed redis-server; then
    missing="$missing redis-server"
fi
if ! installed rabbitmq-server; then
    missing="$missing rabbitmq-server"
fi
if ! installed chromium; then
    missing="$missing chromium"
fi
if ! installed wrk; then
    missing="$missing wrk"
fi
if [ -z "$missing" ]; then
    exit 0
fi

if ! installed apt-get || [ "$(id -u)" -ne 0 ]; then
    echo "For all tests, install:$missing (tests that need what is missing are skipped; with CI=true they fail)"
    exit 0
fi

echo "Installing for the tests:$missing ..."

# Debian's packages start their services unless the machine's policy forbids it. While they are being installed, ours
# stands in the place of the machine's own, if it has one.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
cleanup() {
    rm -f "$log"
    if [ -e "$policy.aside" ]; then
        mv -f "$policy.aside" "$policy"
    else
        rm -f "$policy"
    fi
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM
# One that is already aside was left there by a run that could not clean up; what is in its place is ours.
if [ -e "$policy" ] && [ ! -e "$policy.aside" ]; then
    mv "$policy" "$policy.aside"
fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

# The second keeps Ubuntu's needrestart from restarting the user's own services.
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

# Lists that cannot be refreshed may still do.
apt-get -q -o Acquire::Retries=2 -o Acquire::http::Timeout=30 update >"$log" 2>&1 </dev/null || :

# One by one, so that a package that cannot be had keeps no other away.
for package in $missing; do
    if ! apt-get -q -y -o Acquire::Retries=2 -o DPkg::Lock::Timeout=120 install --no-install-recommends "$package" \
        >>"$log" 2>&1 </dev/null; then
        failed="${failed:-} $package"
    fi
done
if [ -n "${failed:-}" ]; then
    cat "$log" >&2
    echo "Could not install:$failed (tests that need what is missing are skipped; with CI=true they fail)" >&2
fi
