#!/bin/sh
# A service's system with curl and openssl: a token, a question, its events, the decision.
#
# Set VERIFIER, CLIENT, SERVICE, KEY (PEM), POLICY and, for a private authority, CA (PEM). Prints the page for the
# applicant's browser, each event, and at the end the outcome.
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
[ -n "${CA:-}" ] && export CURL_CA_BUNDLE="$CA"

b64u() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
unhex() { printf '%s\n' "$1" | fold -w 2 | while read -r byte; do printf "\\$(printf '%03o' "0x$byte")"; done; }
from_b64u() {
  padded=$(printf '%s' "$1" | tr '_-' '/+')
  while [ $((${#padded} % 4)) -ne 0 ]; do padded="$padded="; done
  printf '%s' "$padded" | openssl base64 -d -A
}
# The string or number of a member whose name comes once in a flat piece of JSON.
member() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
fail() { echo "$1" >&2; exit 1; }
same() { [ "$1" = "$2" ] || fail "the decision $3"; }

# The coordinates are the last 64 bytes of the public key.
openssl ec -in "$KEY" -pubout -outform DER 2>/dev/null >"$scratch/public.der"
x=$(tail -c 64 "$scratch/public.der" | head -c 32 | b64u)
y=$(tail -c 32 "$scratch/public.der" | b64u)
# RFC 7638: the kid under which the operator registered the key.
kid=$(printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$x" "$y" | openssl dgst -sha256 -binary | b64u)

# An ES256 signature is r and s, 32 bytes each; openssl writes them as DER integers.
sign() {
  openssl dgst -sha256 -sign "$KEY" | openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' |
    while read -r number; do
      while [ ${#number} -lt 64 ]; do number="0$number"; done
      unhex "$number"
    done | b64u
}

# RFC 7523, tightened: aud is the issuer identifier alone, typ says what it is, and it lives a minute.
token() {
  now=$(date +%s)
  header=$(printf '{"alg":"ES256","typ":"client-authentication+jwt","kid":"%s"}' "$kid" | b64u)
  claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s","iat":%d,"exp":%d,"jti":"%s"}' \
    "$CLIENT" "$CLIENT" "$VERIFIER" "$now" $((now + 60)) "$(openssl rand -hex 16)" | b64u)
  signature=$(printf '%s.%s' "$header" "$claims" | sign)
  curl --silent --fail-with-body "$VERIFIER/oauth/token" \
    --data-urlencode 'grant_type=client_credentials' \
    --data-urlencode 'scope=requests:write decisions:read' \
    --data-urlencode 'client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer' \
    --data-urlencode "client_assertion=$header.$claims.$signature" | member access_token
}

reference='PASS-2026-0042'
bearer=$(token)
# The key makes it safe to send the call again when its answer is lost.
asked=$(curl --silent --fail-with-body "$VERIFIER/v1/requests" \
  -H "Authorization: Bearer $bearer" -H 'Content-Type: application/json' \
  -H "Idempotency-Key: \"$(openssl rand -hex 16)\"" \
  -d "{\"policy\":\"$POLICY\",\"flow\":\"same_device\",\"reference\":\"$reference\"}") || fail "$asked"
id=$(printf '%s' "$asked" | member id)
echo "page $(printf '%s' "$asked" | member url)"

# Server-sent events; a stream ends after some seconds and goes on where it stopped.
last=''
while [ "$last" != 3 ]; do
  curl --silent --no-buffer --fail-with-body "$VERIFIER/v1/requests/$id/events" \
    -H "Authorization: Bearer $bearer" ${last:+-H "Last-Event-ID: $last"} |
    while read -r line; do
      case $line in
        event:*) echo "event ${line#event: }" ;;
        id:*) echo "${line#id: }" >"$scratch/last" ;;
      esac
    done
  before=$last
  last=$(cat "$scratch/last")
  [ "$last" = "$before" ] && sleep 1
done

# A token lives five minutes, and people take their time.
told=$(curl --silent --fail-with-body "$VERIFIER/v1/requests/$id/decision" -H "Authorization: Bearer $(token)")
keys=$(curl --silent --fail-with-body "$VERIFIER/.well-known/jwks.json")
decision=$(printf '%s' "$told" | member decision)

# Offline: the signature by the published key that kid names.
text=${decision%.*}
header=$(from_b64u "${text%.*}")
claims=$(from_b64u "${text#*.}")
same "$(printf '%s' "$header" | member typ)" vouchsafe-decision+jwt 'is of another type'
same "$(printf '%s' "$header" | member alg)" ES256 'is signed by another algorithm'
signer=$(printf '%s' "$keys" | tr '{}' '\n\n' | grep "\"kid\":\"$(printf '%s' "$header" | member kid)\"") ||
  fail 'the decision names no key of this verifier'
point=$(from_b64u "$(printf '%s' "$signer" | member x)" | hex)$(from_b64u "$(printf '%s' "$signer" | member y)" | hex)
unhex "3059301306072a8648ce3d020106082a8648ce3d03010703420004$point" >"$scratch/signer.der"
from_b64u "${decision##*.}" >"$scratch/signature"
[ "$(wc -c <"$scratch/signature")" -eq 64 ] || fail 'the decision is not signed by ES256'
# A leading zero byte keeps the integers positive; DER allows none where it is not needed.
integer() { hex | sed 's/^\(00\)*//; s/^[89a-f]/00&/'; }
r=$(head -c 32 "$scratch/signature" | integer)
s=$(tail -c 32 "$scratch/signature" | integer)
both=$(printf '02%02x%s02%02x%s' $((${#r} / 2)) "$r" $((${#s} / 2)) "$s")
unhex "$(printf '30%02x%s' $((${#both} / 2)) "$both")" >"$scratch/signature.der"
printf '%s' "$text" | openssl dgst -sha256 -keyform DER -verify "$scratch/signer.der" \
  -signature "$scratch/signature.der" >/dev/null || fail 'the decision is not signed by this verifier'

# Then issuer, audience, request, environment, time and the service's own reference.
claim() { printf '%s' "$claims" | member "$1"; }
now=$(date +%s)
same "$(claim iss)" "$VERIFIER" 'comes from another verifier'
same "$(claim aud)" "$SERVICE" 'is for another service'
same "$(claim request_id)" "$id" 'is about another request'
same "$(claim env)" "${ENVIRONMENT:-test}" 'is of another environment'
[ "$now" -lt "$(claim exp)" ] || fail 'the decision is not about now'
[ $((now + 60)) -ge "$(claim iat)" ] || fail 'the decision is not about now'
{
  printf 'vouchsafe/v1/ref'
  from_b64u "$(printf '%s' "$told" | member ref_salt)"
  unhex "$(printf '%08x' ${#reference})"
  printf '%s' "$reference"
} >"$scratch/reference"
same "$(claim ref)" "$(openssl dgst -sha256 -binary "$scratch/reference" | b64u)" 'is about another reference'
echo "outcome $(claim outcome)"
