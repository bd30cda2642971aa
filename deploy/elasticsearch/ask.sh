#!/bin/bash
# How the other scripts ask Elasticsearch at $ELASTICSEARCH; they source this file.
made=${MADE:-/made}
certificates=$made/certificates

# ask METHOD PATH [DATA]: as the superuser, whose password no list of processes shows; DATA may be @FILE.
ask() {
    local body=()
    [[ $# -lt 3 ]] || body=(-H 'Content-Type: application/json' --data-binary "$3")
    printf 'user = "elastic:%s"\n' "$(<"$certificates/elastic_password")" |
        curl -K - -sS --fail-with-body --max-time 120 --cacert "$certificates/ca.crt" -X "$1" "${body[@]}" \
            "$ELASTICSEARCH$2"
}
