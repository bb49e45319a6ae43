#!/bin/sh
# Puts the log shippers for tests/shippers into .venv/shippers/bin, as far as package registries have
# them: the OpenTelemetry Collector, built if Go is installed, and Debian's rsyslog, unpacked, because
# installing it would remove syslog-ng. Skips those that are already there.
set -eu
cd "$(dirname "$0")/.."
folder=$(pwd -P)/.venv/shippers
mkdir -p "$folder/bin"

say() { echo "shippers: $1"; }
fail() { echo "shippers: $1" >&2; exit 1; }

# The builder's version and the versions in the file belong together.
pinned=tests/shippers/otelcol-builder.yaml
version=$(sed -n 's/.*otlphttpexporter //p' "$pinned")

build_otelcol() {
    go run "go.opentelemetry.io/collector/cmd/builder@$version" --config "$pinned" \
        >"$folder/otelcol.log" 2>&1 || fail "the Collector could not be built: see $folder/otelcol.log"
    mv "$folder/otelcol/otelcol" "$folder/bin/otelcol"
    rm -rf "$folder/otelcol"
    cp "$pinned" "$folder/otelcol-builder.yaml"
}

if cmp -s "$pinned" "$folder/otelcol-builder.yaml" && [ -x "$folder/bin/otelcol" ]; then
    say "otelcol $version is in .venv/shippers/bin"
elif command -v go >/dev/null 2>&1; then
    say "building otelcol $version, which takes some two minutes the first time"
    build_otelcol
    say "otelcol $version is in .venv/shippers/bin"
else
    say "skipping otelcol, because go is not installed; its tests will be skipped" >&2
fi

# rsyslog, its RELP, and those of their dependencies that are not installed.
packages() {
    echo rsyslog rsyslog-relp
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances rsyslog rsyslog-relp | sed -n 's/^ *Depends: \([^<]*\)$/\1/p' | sort -u |
        while read -r package; do
            case $package in rsyslog) continue ;; esac # rsyslog-relp depends on it
            dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' ||
                echo "$package"
        done
}

download() {
    # shellcheck disable=SC2046  # a list of names
    (cd "$1" && apt-get download -qq $(packages)) 2>"$folder/rsyslog.log"
}

# A wrapper sets the location of its programs and modules.
unpack_rsyslog() {
    debs=$(mktemp -d)
    download "$debs" || { apt-get update -qq && download "$debs"; } || {
        rm -rf "$debs"
        fail "Debian's rsyslog could not be downloaded: see $folder/rsyslog.log"
    }
    rm -rf "$folder/rsyslog"
    for deb in "$debs"/*.deb; do
        dpkg -x "$deb" "$folder/rsyslog"
    done
    rm -rf "$debs"
    modules=$(dirname "$(find "$folder/rsyslog" -name imfile.so)")
    libraries=$(dirname "$modules")
    cat >"$folder/bin/rsyslogd" <<END
#!/bin/sh
export LD_LIBRARY_PATH="$libraries"
exec "$folder/rsyslog/usr/sbin/rsyslogd" -M "$modules" "\$@"
END
    chmod +x "$folder/bin/rsyslogd"
}

if "$folder/bin/rsyslogd" -v >/dev/null 2>&1; then
    say "rsyslog is in .venv/shippers/bin"
elif command -v apt-get >/dev/null 2>&1; then
    unpack_rsyslog
    "$folder/bin/rsyslogd" -v >/dev/null || fail "the unpacked rsyslogd does not start"
    say "rsyslog is in .venv/shippers/bin"
else
    say "skipping rsyslog, because this is not Debian or Ubuntu; its tests will be skipped" >&2
fi
