#!/bin/sh
# The tests compare with STILTS and look at pages with Chromium. Install them where we may, else say so and fail.
set -u
missing=""
command -v stilts >/dev/null 2>&1 || missing="$missing stilts"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "tests: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "tests need these Debian packages:$missing (apt-get install$missing)" >&2
exit 1
