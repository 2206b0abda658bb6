#!/bin/sh
# Builds the GraphiQL page into build/, once for every state of its sources.
#
# `make run` and `make test` call this at every start: it is silent when nothing has changed, and never a reason for
# them to stop, for the server has a plain page to serve instead.
set -u
cd "$(dirname "$0")" || exit 0

sources=$(find package.json package-lock.json .npmrc vite.config.js index.html src build.sh -type f | LC_ALL=C sort)
# shellcheck disable=SC2086 # the names are this folder's own and hold no spaces
stamp=$(cksum $sources)
[ -f build/index.html ] && [ "$(cat build/stamp 2>/dev/null)" = "$stamp" ] && exit 0

if [ -f build/index.html ]; then
    instead="the page built earlier is served"
else
    instead="a plain page is served instead"
fi
if ! command -v npm >/dev/null 2>&1; then
    echo "GraphiQL: npm is missing, so $instead."
    exit 0
fi

# Everything happens in a folder of this process alone: a build broken off, or another one at the same time, cannot
# leave half a page in build/, and the packages (a quarter of a gigabyte) go when they have done their work.
for left in .work-*; do
    [ -d "$left" ] && ! kill -0 "${left#.work-}" 2>/dev/null && rm -rf "$left"
done
work=.work-$$
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

build() {
    mkdir "$work" && cp -R package.json package-lock.json .npmrc vite.config.js index.html src "$work" && (
        cd "$work" || exit
        # Without a network a start must not wait through npm's usual minutes of retries.
        npm ci --include=dev --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error \
            --fetch-retries=1 --fetch-retry-mintimeout=500 --fetch-timeout=20000 &&
            NODE_ENV=production node node_modules/vite/bin/vite.js build --logLevel error
    ) >"$work/log" 2>&1 && [ -f "$work/build/index.html" ]
}

echo "GraphiQL: building the page (once, about half a minute) ..."
if ! build; then
    echo "GraphiQL: the page could not be built ($(head -n 1 "$work/log" 2>/dev/null)), so $instead."
    exit 0
fi
printf '%s\n' "$stamp" >"$work/build/stamp"
[ -d build ] && mv build "$work/earlier"
mv "$work/build" build
echo "GraphiQL: built."
