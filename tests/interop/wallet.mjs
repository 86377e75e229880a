// A stranger's wallet: @openid4vc/openid4vci collects, dcql chooses, @sd-jwt presents, @openid4vc/openid4vp answers.
//
// input: {offer?, tx_code, copies, dpop, later?, held?, request?, method, enc, spoils?: [name], anchor}
// result: {held: [{credential, jwk}], spoiled?: {name: {status, error}}, redirect_uri?, status?, unmatched?}, or
// {later} for a batch that is put off, which is given back as input

import { DcqlQuery } from 'dcql';
import { Openid4vciClient } from '@openid4vc/openid4vci';
import { Openid4vpClient } from '@openid4vc/openid4vp';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { digest, generateSalt, ES256 } from '@sd-jwt/crypto-nodejs';
import { b64u, callbacks, check, fail, input, json, now, random, Ring, sha256, tell } from './kit.mjs';

const ring = new Ring();

/** From the offer to the copies, each bound to a key of its own. */
async function collect() {
  const client = new Openid4vciClient({ callbacks: callbacks(ring, input.anchor) });
  const credentialOffer = await client.resolveCredentialOffer(input.offer);
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const configuration = credentialOffer.credential_configuration_ids[0];
  check('the configuration is known to the library', configuration in issuerMetadata.knownCredentialConfigurations);
  const dpopKey = input.dpop && { method: 'jwk', alg: 'ES256', publicJwk: await ring.make() };
  const { accessTokenResponse, dpop } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    txCode: input.tx_code,
    ...(dpopKey && { dpop: { signer: dpopKey } }),
  });
  check('the token is of the kind asked for', accessTokenResponse.token_type === (input.dpop ? 'DPoP' : 'Bearer'));
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata });
  const keys = await Promise.all(Array.from({ length: input.copies }, () => ring.make()));
  const prove = (publicJwk) =>
    client.createCredentialRequestJwtProof({
      issuerMetadata,
      credentialConfigurationId: configuration,
      signer: { method: 'jwk', alg: 'ES256', publicJwk },
      nonce,
      issuedAt: new Date(),
    });
  const proofs = await Promise.all(keys.map(prove));
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    accessToken: accessTokenResponse.access_token,
    credentialConfigurationId: configuration,
    proofs: { jwt: proofs.map(({ jwt }) => jwt) },
    dpop,
  });
  const private_keys = await Promise.all(keys.map((key) => ring.export(key)));
  const session = {
    issuer: credentialOffer.credential_issuer,
    token: accessTokenResponse.access_token,
    dpop: dpopKey && (await ring.export(dpopKey.publicJwk)),
    private_keys,
  };
  const { transaction_id, credentials, notification_id } = credentialResponse;
  if (transaction_id) return { later: { ...session, transaction_id } };
  return keep(client, issuerMetadata, session, credentials, notification_id);
}

/** The library refuses a deferred answer that has a notification_id, although OpenID4VCI 9.2 lets it: taken out here. */
function withoutNotification(taken) {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!`${url}`.endsWith('/deferred') || response.status !== 200) return response;
    const { notification_id, ...rest } = await response.json();
    taken.notification_id = notification_id;
    return new Response(JSON.stringify(rest), { status: 200, headers: { 'content-type': 'application/json' } });
  };
}

/** Asks again for a batch that was put off. */
async function askAgain(later) {
  const taken = {};
  const client = new Openid4vciClient({ callbacks: callbacks(ring, input.anchor, withoutNotification(taken)) });
  const issuerMetadata = await client.resolveIssuerMetadata(later.issuer);
  const { deferredCredentialResponse } = await client.retrieveDeferredCredentials({
    issuerMetadata,
    transactionId: later.transaction_id,
    accessToken: later.token,
    dpop: await bound(later),
  });
  const { credentials, transaction_id } = deferredCredentialResponse;
  if (transaction_id) return { later };
  return keep(client, issuerMetadata, later, credentials, taken.notification_id);
}

/** The key of the token, if it has one. */
async function bound({ dpop }) {
  return dpop && { signer: { method: 'jwk', alg: 'ES256', publicJwk: await ring.addJwk(dpop) } };
}

/** Keeps the copies, and says so where the issuer wants to know (OpenID4VCI 11). */
async function keep(client, issuerMetadata, session, credentials, notificationId) {
  check('as many copies as proofs', credentials.length === session.private_keys.length);
  const held = await Promise.all(credentials.map(({ credential }) => hold(credential, session.private_keys)));
  if (notificationId) {
    const notification = { notificationId, event: 'credential_accepted' };
    await client.sendNotification({ issuerMetadata, notification, accessToken: session.token, dpop: await bound(session) });
  }
  return { held, notified: notificationId !== undefined };
}

/** A copy with the private half of the key that it is bound to. */
async function hold(credential, keys) {
  const { cnf } = json(credential.split('.')[1]);
  const own = keys.filter(({ x }) => x === cnf.jwk.x);
  check('a copy is bound to one of our keys', own.length === 1);
  return { credential, jwk: own[0] };
}

/** Repairs of a library that posts wallet_metadata as single members and drops wallet_nonce (OpenID4VP 5.10). */
function repaired(walletNonce) {
  const metadata = { vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'] } } };
  const form = { wallet_metadata: JSON.stringify(metadata), wallet_nonce: walletNonce };
  return (url, init) => {
    const isRequest = init?.method === 'post' && `${url}`.includes('/r/');
    return fetch(url, isRequest ? { ...init, method: 'POST', body: new URLSearchParams(form) } : init);
  };
}

/** With one thing wrong, where `spoil` names it. */
async function answer(held, spoil) {
  const walletNonce = random();
  const client = new Openid4vpClient({ callbacks: callbacks(ring, input.anchor, repaired(walletNonce)) });
  const link = new URL(input.request);
  link.searchParams.delete('request_uri_method');
  if (input.method === 'post') link.searchParams.set('request_uri_method', 'post');
  const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: link.toString() });
  const resolved = await client.resolveOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: params,
    ...(input.method === 'post' && { wallet: { nonce: walletNonce, expectedNonce: walletNonce } }),
  });
  const request = resolved.authorizationRequestPayload;
  check('the request is signed', resolved.jar.signer.method === 'x5c');
  check('wallet_nonce is repeated', input.method !== 'post' || request.wallet_nonce === walletNonce);
  const chosen = await choose(resolved.dcql.query, held);
  if (chosen.unmatched) return { ...(await decline(request)), unmatched: chosen.unmatched };
  const audience = resolved.client.effective;
  const presented = await present(chosen.copy, chosen.paths, { aud: audience, nonce: request.nonce }, spoil);
  return send(client, request, { [chosen.query]: [presented] });
}

/** The first option that the DCQL library finds satisfied. */
async function choose(query, held) {
  const parsed = DcqlQuery.parse(query);
  DcqlQuery.validate(parsed);
  const instance = await reader();
  const credentials = await Promise.all(
    held.map(async ({ credential }) => {
      const { vct, ...claims } = await instance.getClaims(credential);
      return { credential_format: 'dc+sd-jwt', cryptographic_holder_binding: true, vct, claims };
    }),
  );
  const result = DcqlQuery.query(parsed, credentials);
  if (!result.can_be_satisfied) return { unmatched: Object.keys(result.credential_matches) };
  const [id] = result.credential_sets[0].matching_options[0];
  const [{ input_credential_index: index }] = result.credential_matches[id].valid_credentials;
  const { claims = [] } = query.credentials.find((one) => one.id === id);
  return { query: id, copy: held[index], paths: claims.map(({ path }) => path) };
}

const reader = async () => new SDJwtVcInstance({ hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt });

/** The claims asked for and no others, bound to the request. */
async function present({ credential, jwk }, paths, { aud, nonce }, spoil) {
  const instance = new SDJwtVcInstance({
    hasher: digest,
    hashAlg: 'sha-256',
    saltGenerator: generateSalt,
    kbSigner: await ES256.getSigner(jwk),
    kbSignAlg: 'ES256',
  });
  const frame = {};
  for (const path of paths) {
    const last = path.length - 1;
    path.reduce((at, step, i) => (at[step] ??= i === last ? true : {}), frame);
  }
  const payload = { iat: now(), aud, nonce };
  const presented = await instance.present(credential, frame, { kb: { payload } });
  return spoil ? spoilt(presented, jwk, spoil) : presented;
}

const YEAR = 365 * 86_400;
const SPOILS = {
  'kb-aud': (kb) => ({ ...kb, aud: 'x509_hash:another' }),
  'kb-nonce': (kb) => ({ ...kb, nonce: random() }),
  'kb-iat-past': (kb) => ({ ...kb, iat: kb.iat - YEAR }),
  'kb-iat-future': (kb) => ({ ...kb, iat: kb.iat + YEAR }),
  'sd-hash': (kb) => ({ ...kb, sd_hash: b64u(sha256('something else')) }),
};

/** One thing wrong, everything else signed anew. */
async function spoilt(presented, jwk, spoil) {
  const cut = presented.lastIndexOf('~') + 1;
  const [body, kb] = [presented.slice(0, cut), presented.slice(cut)];
  const stranger = await ring.make();
  const holder = spoil === 'kb-signature' ? stranger : await ring.addJwk(jwk);
  const signed = (on, payload) => ring.sign(holder, { typ: 'kb+jwt' }, { ...payload, sd_hash: b64u(sha256(on)) });
  const payload = json(kb.split('.')[1]);
  if (spoil === 'credential-signature') {
    const [jws, ...rest] = body.split('~');
    const [header, claims] = jws.split('.');
    const forged = await ring.sign(stranger, json(header), json(claims));
    const other = [forged, ...rest].join('~');
    return other + (await signed(other, payload));
  }
  if (spoil === 'kb-signature') return body + (await signed(body, payload));
  check('the fault is known', spoil in SPOILS);
  return body + (await ring.sign(holder, { typ: 'kb+jwt' }, SPOILS[spoil](payload)));
}

async function send(client, request, vp_token) {
  const { jarm } = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request,
    authorizationResponsePayload: { vp_token },
    jarm: {
      encryption: { nonce: random() },
      serverMetadata: {
        authorization_signing_alg_values_supported: [],
        authorization_encryption_alg_values_supported: ['ECDH-ES'],
        authorization_encryption_enc_values_supported: [input.enc ?? 'A256GCM'],
      },
    },
  });
  const { response } = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request,
    authorizationResponsePayload: { vp_token },
    jarm: { responseJwt: jarm.responseJwt },
  });
  return { status: response.status, ...(await response.json()) };
}

/** No credential fits: OpenID4VP 8.5, in clear. */
async function decline(request) {
  const body = new URLSearchParams({ error: 'access_denied', state: request.state });
  const response = await fetch(request.response_uri, { method: 'POST', body });
  return { status: response.status, ...(await response.json()) };
}

try {
  const collected = input.later ? askAgain(input.later) : input.offer && collect();
  const { held, later, notified } = input.held ? { held: input.held } : await collected;
  const spoiled = {};
  for (const spoil of input.spoils ?? []) spoiled[spoil] = await answer(held, spoil);
  tell({ held, later, notified, spoiled, ...(input.request && (await answer(held))) });
} catch (error) {
  fail(error.stack);
}
