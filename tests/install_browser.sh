#!/bin/sh
# Find a Chromium for the browser tests, or install Debian's; say clearly what to do where neither works.
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: the browser tests need Chromium: install it so that 'chromium' is on the PATH" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
echo "Installing Debian's chromium for the browser tests"
if ! { $as_root apt-get update -qq && $as_root apt-get install -y -qq chromium; } >/dev/null; then
    echo "error: 'apt-get install chromium' failed: install it by hand, then run make test again" >&2
    exit 1
fi
