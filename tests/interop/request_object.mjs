// What a conformance suite looks at in a request, by HTTP and jose alone (OpenID4VP 1.0, 5; HAIP 1.0, 5).
//
// input: {links: [link], anchor}
// result: {keys: [thumbprint of the encryption key]}

import { X509Certificate } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose';
import { b64u, check, fail, input, json, keyOf, leads, sha256, tell } from './kit.mjs';

const AUDIENCE = 'https://self-issued.me/v2';
const GONE = ['client_id_scheme', 'presentation_definition', 'presentation_definition_uri', 'scope', 'redirect_uri'];

async function inspect(link) {
  const { searchParams } = new URL(link);
  const uri = new URL(searchParams.get('request_uri'));
  check('request_uri is https without a fragment', uri.protocol === 'https:' && uri.hash === '');
  const response = await fetch(uri);
  check('it is a request object', response.headers.get('content-type').startsWith('application/oauth-authz-req+jwt'));
  const text = await response.text();
  const header = json(text.split('.')[0]);
  check('typ and alg', header.typ === 'oauth-authz-req+jwt' && header.alg === 'ES256');
  check('the certificate leads to the anchor, which is not sent', leads(header.x5c, input.anchor));
  const { payload } = await compactVerify(text, await importJWK(await keyOf(header.x5c[0]), 'ES256'));
  const claims = JSON.parse(new TextDecoder().decode(payload));
  const leaf = new X509Certificate(Buffer.from(header.x5c[0], 'base64'));
  check('client_id is the hash of the certificate', claims.client_id === `x509_hash:${b64u(sha256(leaf.raw))}`);
  check('client_id is that of the link', claims.client_id === searchParams.get('client_id'));
  check('nothing of a draft, no scope, no redirect_uri', GONE.every((name) => !(name in claims)));
  check('audience', claims.aud === AUDIENCE);
  check('times are integers', [claims.iat, claims.exp].every(Number.isInteger) && claims.nbf === undefined);
  check('type and mode', claims.response_type === 'vp_token' && claims.response_mode === 'direct_post.jwt');
  check('response_uri is https', claims.response_uri.startsWith('https://'));
  check('nonce and state are long enough', [claims.nonce, claims.state].every((text) => /^[\w-]{22,}$/.test(text)));
  metadata(claims.client_metadata);
  query(claims.dcql_query);
  return calculateJwkThumbprint(claims.client_metadata.jwks.keys[0]);
}

function metadata({ jwks, encrypted_response_enc_values_supported: encs, vp_formats_supported: formats, ...rest }) {
  check('client_metadata has no other members', Object.keys(rest).length === 0);
  check('one key for one answer', jwks.keys.length === 1);
  for (const key of jwks.keys) {
    check('a key has kid, use and alg', key.kid && key.use === 'enc' && key.alg === 'ECDH-ES' && key.crv === 'P-256');
    check('a key is public', key.d === undefined);
  }
  check('both modes of GCM', ['A128GCM', 'A256GCM'].every((enc) => encs.includes(enc)));
  check('SD-JWT VC with ES256', formats['dc+sd-jwt']['sd-jwt_alg_values'].includes('ES256'));
}

function query({ credentials, credential_sets: sets }) {
  const ids = credentials.map(({ id }) => id);
  check('ids are different', new Set(ids).size === ids.length);
  for (const { format, meta, claims, claim_sets } of credentials) {
    check('format and type', format === 'dc+sd-jwt' && meta.vct_values.length > 0);
    const named = new Set((claim_sets ?? [(claims ?? []).map(({ id }) => id)]).flat());
    check('every claim is named by a set', (claims ?? []).every(({ id }) => named.has(id)));
  }
  check('sets name queries', (sets ?? []).every(({ options }) => options.flat().every((id) => ids.includes(id))));
}

try {
  const keys = [];
  for (const link of input.links) keys.push(await inspect(link));
  tell({ keys });
} catch (error) {
  fail(error.stack);
}
