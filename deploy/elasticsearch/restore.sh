#!/bin/bash
# Put the indices of a snapshot, the last one or the one that is named, in the place of the present ones.
# Runs as root in Elasticsearch's image, while followers and replicas are stopped.
set -euo pipefail
# shellcheck source=ask.sh
source "$(dirname "${BASH_SOURCE[0]}")/ask.sh"
prefix=${PREFIX:-onedfs}

complete=$(ask GET '/_cat/snapshots/onedfs?h=id,status&s=end_epoch' | sed -n 's/ *SUCCESS *$//p')
snapshot=${1:-${complete##*$'\n'}}
if [[ -z $snapshot ]] || ! grep -qxF "$snapshot" <<<"$complete"; then
    echo "no complete snapshot ${snapshot:+is named $snapshot}" >&2
    exit 1
fi

# A pattern would be refused: indices are deleted by their names.
for index in $(ask GET "/_cat/indices/$prefix-*?h=index&expand_wildcards=all"); do
    ask DELETE "/$index" >/dev/null
done
ask POST "/_snapshot/onedfs/$snapshot/_restore" \
    "{\"indices\": [\"$prefix-*\"], \"include_global_state\": false}" >/dev/null
until ask GET "/_cluster/health/$prefix-*?wait_for_status=yellow&timeout=60s" >/dev/null; do
    sleep 2
done
echo "restored $snapshot"
