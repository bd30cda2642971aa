#!/bin/bash
# Make the archive's API keys, unless it has keys that open the cluster, and the repository of snapshots.
# Runs as root in Elasticsearch's image, when the nodes answer.
set -euo pipefail
umask 077
readonly ARCHIVE=10001
deploy=${DEPLOY:-/deploy}
# shellcheck source=ask.sh
source "$(dirname "${BASH_SOURCE[0]}")/ask.sh"

opens() {
    [[ -s $1 ]] && printf 'header = "Authorization: ApiKey %s"\n' "$(<"$1")" |
        curl -K - -sS --fail -o /dev/null --max-time 60 --cacert "$certificates/ca.crt" \
            "$ELASTICSEARCH/_security/_authenticate"
}

until ask GET '/_cluster/health?wait_for_status=yellow&timeout=30s' >/dev/null; do
    sleep 2
done

for who in reader writer; do
    file=$made/$who/onedfs_elasticsearch_api_key
    if ! opens "$file"; then
        ask POST /_security/api_key "@$deploy/$who.json" | sed -n 's/.*"encoded":"\([^"]*\)".*/\1/p' >"$file.new"
        [[ -s $file.new ]]
        chown "$ARCHIVE:$ARCHIVE" "$file.new"
        chmod 400 "$file.new"
        mv "$file.new" "$file"
    fi
done

ask PUT /_snapshot/onedfs "@$deploy/snapshots.json" >/dev/null
ask PUT /_slm/policy/onedfs "@$deploy/nightly.json" >/dev/null
