#!/bin/sh
# The journeys need a Chromium: install Debian's where that is possible, else say how.
for name in "$PORTOLAN_CHROMIUM" chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0
fi
echo "The browser tests need Chromium: install it (Debian: apt-get install chromium) or set PORTOLAN_CHROMIUM to a Chrome." >&2
exit 1
