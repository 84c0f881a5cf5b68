#!/bin/bash
# Stores a file by tus (https://tus.io) with curl alone, goes on where an earlier run broke off, prints the id of the
# file and fetches its first ten bytes:
#   ROSSIO_FILES=http://127.0.0.1:7303 ROSSIO_TOKEN=... PARENT=<folder> files.sh FILE
set -euo pipefail
file=$1 size=$(($(wc -c < "$1"))) part=${PART:-8388608} remembered=$1.upload
call() { curl --silent --show-error --fail-with-body -H "Authorization: Bearer $ROSSIO_TOKEN" -H 'Tus-Resumable: 1.0.0' "$@"; }
header() { tr -d '\r' | sed -n "s/^$1: //p"; }
base64of() { printf %s "$1" | base64 | tr -d '\n'; }

if [ ! -s "$remembered" ]; then  # where the upload lives, until it is whole
  call --dump-header - -X POST "$ROSSIO_FILES/uploads" -H "Upload-Length: $size" \
    -H "Upload-Metadata: parent_id $(base64of "$PARENT"),filename $(base64of "$(basename "$file")")" > "$remembered.new" || { tail -n 1 "$remembered.new" >&2; exit 1; }
  header Location < "$remembered.new" > "$remembered"
  rm "$remembered.new"
fi
upload=$ROSSIO_FILES$(cat "$remembered")
standing=$(call --head "$upload")
while node=$(header Rossio-Node-Id <<< "$standing") && [ -z "$node" ]; do
  offset=$(header Upload-Offset <<< "$standing")
  dd if="$file" of="$remembered.part" iflag=skip_bytes,count_bytes skip="$offset" count="$part" bs=1M status=none
  standing=$(call --dump-header - -X PATCH "$upload" -H "Upload-Offset: $offset" \
    -H 'Content-Type: application/offset+octet-stream' --data-binary @"$remembered.part")
done
rm -f "$remembered" "$remembered.part"
echo "$node"
# A range is answered with 206, and costs no more than its part of the file.
[ "$size" = 0 ] || call --range 0-9 "$ROSSIO_FILES/files/$node"
