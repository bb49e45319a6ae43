#!/bin/sh
# Makes the certificates for test_tls.py again: a CA, servers it signed, a client, and a key with a password.
# `openssl ca` is used because it sets the first day, which must not depend on today.
set -e
cd "$(dirname "$0")"
work=$(mktemp -d)
touch "$work/index"
cat > "$work/ca.cnf" <<END
[ca]
default_ca = c
[c]
database = $work/index
new_certs_dir = $work
serial = $work/serial
default_md = sha256
policy = p
unique_subject = no
[p]
commonName = supplied
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
END
echo 01 > "$work/serial"
request() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr"; }
sign() { openssl ca -batch -notext -config "$work/ca.cnf" -startdate 20200101000000Z -keyfile "$work/ca.key" "$@"; }
signed() { # NAME LAST_DAY SUBJECT_ALT_NAME
    request "$1"
    printf 'subjectAltName=%s\nauthorityKeyIdentifier=keyid\n' "$3" > "$work/$1.ext"
    sign -cert ca.pem -enddate "$2" -extfile "$work/$1.ext" -in "$work/$1.csr" -out "$work/$1.crt"
    cat "$work/$1.crt" "$work/$1.key" > "$1.pem"
}
request ca
sign -selfsign -extensions root -enddate 21200101000000Z -in "$work/ca.csr" -out ca.pem
signed server 21200101000000Z "DNS:localhost,IP:127.0.0.1"
signed elsewhere 21200101000000Z "DNS:elsewhere.example"
signed client 21200101000000Z "DNS:client"
signed expired 20200201000000Z "DNS:localhost,IP:127.0.0.1"
# an issuing CA below the first, and a server that sends both its own certificate and that CA's
request issuing
sign -cert ca.pem -extensions root -enddate 21200101000000Z -in "$work/issuing.csr" -out issuing.pem
request chained
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n' > "$work/chained.ext"
openssl ca -batch -notext -config "$work/ca.cnf" -startdate 20200101000000Z -keyfile "$work/issuing.key" \
    -cert issuing.pem -enddate 21200101000000Z -extfile "$work/chained.ext" -in "$work/chained.csr" -out "$work/chained.crt"
cat "$work/chained.crt" issuing.pem "$work/chained.key" > chained.pem
openssl ec -in "$work/client.key" -aes256 -passout pass:locked -out locked.pem
rm -r "$work"
