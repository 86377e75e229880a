// A wallet that does one thing wrong, by HTTP and jose alone, and in the end does it right, encrypted both ways.
//
// input: {offer, tx_code, issuer}
// result: {faults: {NAME: {status, error}}, held: [credential], again: {status, error}}
// The names are those of the OpenID Foundation's modules for issuers.

import * as jose from 'jose';
import { check, fail, input, now, random, Ring, tell } from './kit.mjs';

const ring = new Ring();
const PRE_AUTHORIZED = 'urn:ietf:params:oauth:grant-type:pre-authorized_code';

const get = async (url) => (await fetch(url)).json();
const reference = new URL(input.offer).searchParams.get('credential_offer_uri');
const offer = await get(reference);
check('the offer names its issuer', offer.credential_issuer === input.issuer);
const [configuration] = offer.credential_configuration_ids;
const metadata = await get(`${input.issuer}/.well-known/openid-credential-issuer`);
const server = await get(`${input.issuer}/.well-known/oauth-authorization-server`);
inspect();

const token = await grant();

/** What a suite looks at in the metadata (OpenID4VCI 12.2.4). */
function inspect() {
  check('credential_issuer is the identifier', metadata.credential_issuer === input.issuer);
  check('the server is the issuer', server.issuer === input.issuer && server.token_endpoint.startsWith('https://'));
  check('anonymous wallets may ask', server['pre-authorized_grant_anonymous_access_supported'] === true);
  for (const key of metadata.credential_request_encryption.jwks.keys) {
    check('a key has kid and alg, and nothing private', key.kid && key.alg === 'ECDH-ES' && key.d === undefined);
  }
  for (const one of Object.values(metadata.credential_configurations_supported)) {
    check('a configuration is complete', one.format === 'dc+sd-jwt' && one.vct && one.credential_metadata);
    check('binding and proofs are both there', one.cryptographic_binding_methods_supported && one.proof_types_supported.jwt);
  }
  check('a batch has two copies at least', metadata.batch_credential_issuance.batch_size >= 2);
}

async function grant() {
  const { 'pre-authorized_code': code } = offer.grants[PRE_AUTHORIZED];
  const form = { grant_type: PRE_AUTHORIZED, 'pre-authorized_code': code, tx_code: input.tx_code };
  const response = await fetch(server.token_endpoint, { method: 'POST', body: new URLSearchParams(form) });
  check('a token is kept by no cache', response.headers.get('cache-control') === 'no-store');
  return (await response.json()).access_token;
}

async function nonce() {
  const response = await fetch(metadata.nonce_endpoint, { method: 'POST' });
  check('a nonce is kept by no cache', response.headers.get('cache-control') === 'no-store');
  return (await response.json()).c_nonce;
}

async function proof(change = {}) {
  const jwk = await ring.make();
  const payload = { aud: input.issuer, iat: now(), nonce: await nonce(), ...change };
  return ring.sign(jwk, { typ: 'openid4vci-proof+jwt', jwk }, payload);
}

async function ask(body, { query = '', headers = {} } = {}) {
  const type = typeof body === 'string' ? 'application/jwt' : 'application/json';
  const response = await fetch(`${metadata.credential_endpoint}${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': type, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const media = response.headers.get('content-type').split(';')[0];
  const error = media === 'application/json' ? JSON.parse(text).error : undefined;
  return { status: response.status, ...(error && { error }), media, text };
}

const requestOf = async (jwt) => ({ credential_configuration_id: configuration, proofs: { jwt: [jwt ?? (await proof())] } });

/** A signature over something else. */
async function unsigned() {
  const [[header, payload], [, , signature]] = [await proof(), await proof()].map((jwt) => jwt.split('.'));
  return [header, payload, signature].join('.');
}

/** A request to the issuer's key, with where to send the answer. */
async function sealed(to, enc) {
  const [key] = metadata.credential_request_encryption.jwks.keys;
  const body = { ...(await requestOf()), credential_response_encryption: { jwk: to, enc } };
  return new jose.CompactEncrypt(new TextEncoder().encode(JSON.stringify(body)))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: key.kid })
    .encrypt(await jose.importJWK(key, 'ECDH-ES'));
}

async function encryptionKey(change = {}) {
  return { ...(await ring.make()), kid: random(), use: 'enc', alg: 'ECDH-ES', ...change };
}

const FAULTS = {
  FailOnInvalidNonce: async () => ask(await requestOf(await proof({ nonce: random() }))),
  FailOnMissingProof: async () => ask({ credential_configuration_id: configuration }),
  FailOnInvalidJwtProofSignature: async () => ask(await requestOf(await unsigned())),
  FailOnUnknownCredentialConfigurationId: async () => ask({ ...(await requestOf()), credential_configuration_id: 'other' }),
  FailOnUnknownCredentialIdentifier: async () => {
    const { proofs } = await requestOf();
    return ask({ credential_identifier: 'other', proofs });
  },
  FailOnUnsupportedEncryptionAlgorithm: async () => ask(await sealed(await encryptionKey({ alg: 'RSA-OAEP-256' }), 'A256GCM')),
  FailOnUnsupportedEncryption: async () => ask(await sealed(await encryptionKey(), 'A128CBC-HS256')),
  FailOnRequestWithAccessTokenInQuery: async () =>
    ask(await requestOf(), { query: `?access_token=${token}`, headers: { authorization: '' } }),
};

try {
  const faults = {};
  for (const [name, fault] of Object.entries(FAULTS)) {
    const { status, error } = await fault();
    faults[name] = { status, error };
  }
  const to = await encryptionKey();
  const answered = await ask(await sealed(to, 'A128GCM'));
  check(`the honest request is answered encrypted: ${answered.text}`, answered.status === 200 && answered.media === 'application/jwt');
  const key = await jose.importJWK(await ring.export(to), 'ECDH-ES');
  const { plaintext, protectedHeader } = await jose.compactDecrypt(answered.text, key);
  check('it is encrypted as was asked', protectedHeader.enc === 'A128GCM' && protectedHeader.kid === to.kid);
  const { credentials } = JSON.parse(new TextDecoder().decode(plaintext));
  const { status, error } = await ask(await requestOf());
  tell({ faults, held: credentials.map(({ credential }) => credential), again: { status, error } });
} catch (error) {
  fail(error.stack);
}
