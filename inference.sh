#!/bin/sh
# Speaks request.json into output.wav with the server on this machine: ./inference.sh [request.json] [output.wav]
here=$(cd "$(dirname "$0")" && pwd)
request=${1:-$here/request.json}
output=${2:-$here/output.wav}
server=http://localhost:${KOKORO_PORT:-9880}

if ! curl --silent --fail --max-time 5 --output /dev/null "$server/health"; then
    echo "The server is not running at $server. Start it in another terminal:  python run.py" >&2
    exit 1
fi
if ! curl --silent --show-error --fail-with-body -X POST "$server/synthesize/stream" \
    -H "Content-Type: application/json" --data-binary "@$request" --output "$output"; then
    echo "The server refused the request. It said:" >&2
    cat "$output" >&2
    rm -f "$output"
    exit 1
fi
echo "Spoken into $output"
