#!/bin/bash
# Make what the services trust each other by: certificates and passwords. What is there already stays.
# Runs as root in Elasticsearch's image, before everything else.
set -euo pipefail
umask 077
readonly ELASTIC=1000 ARCHIVE=10001
made=${MADE:-/made}
certificates=$made/certificates
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make_password() {
    head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'
}

if [[ ! -s $certificates/ca.crt || ! -s $certificates/ca.key ]]; then
    elasticsearch-certutil ca --silent --pem --days 3650 --out "$work/ca.zip"
    unzip -q "$work/ca.zip" -d "$work"
    mv "$work"/ca/ca.{key,crt} "$certificates/"
    rm -f "$certificates/node.crt"
fi
if [[ ! -s $certificates/node.crt || ! -s $certificates/node.key ]]; then
    elasticsearch-certutil cert --silent --pem --days 730 --name node \
        --dns elastic-1,elastic-2,elastic-3,localhost --ip 127.0.0.1 \
        --ca-cert "$certificates/ca.crt" --ca-key "$certificates/ca.key" --out "$work/node.zip"
    unzip -q "$work/node.zip" -d "$work"
    mv "$work"/node/node.{key,crt} "$certificates/"
fi
[[ -s $certificates/elastic_password ]] || make_password >"$certificates/elastic_password"
[[ -s $made/database/password ]] || make_password >"$made/database/password"

# The nodes read their key and password; the authority's key is for root.
chown "$ELASTIC:0" "$certificates"/{node.key,elastic_password} "$made/snapshots"
chmod 755 "$certificates"
chmod 444 "$certificates"/{ca,node}.crt
chmod 400 "$certificates"/{ca.key,node.key,elastic_password}
chmod 700 "$made/snapshots" "$made/database"

# Each of the archive's services finds what it may know in one folder.
for folder in "$made/reader" "$made/writer"; do
    cp -f "$certificates/ca.crt" "$folder/ca.crt"
    cp -f "$made/database/password" "$folder/onedfs_database_password"
    chown "$ARCHIVE:$ARCHIVE" "$folder" "$folder"/{ca.crt,onedfs_database_password}
    chmod 500 "$folder"
    chmod 400 "$folder"/{ca.crt,onedfs_database_password}
done
