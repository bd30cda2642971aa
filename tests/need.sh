#!/bin/sh
# The tests compare with STILTS, look at pages with Chromium, read a schema from Debian's python3-gavo, and run
# Elasticsearch, which Maven fetches and a JDK of 21 or newer runs, PostgreSQL and nginx.
# Install them where we may, else say so and fail.
set -u
export DEBIAN_FRONTEND=noninteractive

# Of python3-gavo only the schema files are wanted, so it is unpacked instead of installed.
unpack_gavo() {
    [ -d build/debian/gavo ] && return 0
    mkdir -p build/debian/new && (cd build/debian/new && apt-get download -qq python3-gavo >/dev/null) &&
        dpkg-deb -x build/debian/new/python3-gavo_*.deb build/debian/new &&
        mv build/debian/new/usr/lib/python3/dist-packages/gavo build/debian/gavo && rm -r build/debian/new
}

# The packages of servers start one each; tests start their own, elsewhere.
keep_servers_off() {
    [ -e /usr/sbin/policy-rc.d ] && return 0
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d &&
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

# Debian 12 has no JDK that is new enough, so it is only asked for.
.venv/bin/python -c 'from tests.support.elasticsearch.home import find_jdk; find_jdk()' 2>/dev/null || {
    echo "tests need a JDK of version 21 or newer for Elasticsearch: install one, or name it by JAVA_HOME" >&2
    exit 1
}

missing=""
command -v mvn >/dev/null 2>&1 || missing="$missing maven"
command -v stilts >/dev/null 2>&1 || missing="$missing stilts"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -d build/debian/gavo ] || missing="$missing python3-gavo"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "tests: installing$missing"
    # shellcheck disable=SC2086
    apt-get update -qq && unpack_gavo && keep_servers_off &&
        apt-get install -y -qq --no-install-recommends ${missing%python3-gavo} ca-certificates >/dev/null && exit 0
fi
echo "tests need these Debian packages:$missing (apt-get install$missing)" >&2
exit 1
