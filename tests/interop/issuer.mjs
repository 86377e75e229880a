// A stranger's issuer: @openid4vc/openid4vci and @openid4vc/oauth2 judge, @sd-jwt issues.
//
// input: {tls_key, tls_certificate}; says {origin}
// then one line {key, x5c, entry?, vct, claims, always, batch, short_salts, dpop?, officer?}; says {offer, tx_code}
// With an officer, a request is put off, once more when it is asked for, and then answered; each says {put_off}.
// A wallet that collected is told in {issued: N, bound}; what it says of its batch in {event}.

import { Oauth2AuthorizationServer, Oauth2ServerErrorResponseError } from '@openid4vc/oauth2';
import { Openid4vciIssuer } from '@openid4vc/openid4vci';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { digest, generateSalt, ES256 } from '@sd-jwt/crypto-nodejs';
import { callbacks, check, fail, input, lines, random, Ring, serve, tell } from './kit.mjs';

const DAY = 86_400;
const PRE_AUTHORIZED = 'urn:ietf:params:oauth:grant-type:pre-authorized_code';

const ring = new Ring();
const issuer = new Openid4vciIssuer({ callbacks: callbacks(ring, '') });
const server = new Oauth2AuthorizationServer({ callbacks: callbacks(ring, '') });
const [code, token, txCode] = [random(), random(), '493536'];
let [desk, nonce, spent, holder] = [undefined, undefined, false, undefined];
const [dpopNonce, notificationId, transactionId] = [random(), random(), random()];
let waiting;

const origin = await serve(answer);
tell({ origin });
for await (const line of lines()) {
  desk = await open(line);
  tell({ offer: desk.offer.credentialOffer, tx_code: txCode });
}

/** Everything of which the origin is a part. */
async function open(line) {
  const jwk = await ring.addPem(line.key);
  const metadata = issuer.createCredentialIssuerMetadata({
    credential_issuer: origin,
    credential_endpoint: `${origin}/credential`,
    nonce_endpoint: `${origin}/nonce`,
    notification_endpoint: `${origin}/notification`,
    ...(line.officer && { deferred_credential_endpoint: `${origin}/deferred` }),
    batch_credential_issuance: { batch_size: line.batch },
    display: [{ name: 'A stranger', locale: 'en' }],
    credential_configurations_supported: {
      stranger: {
        format: 'dc+sd-jwt',
        vct: line.vct,
        scope: 'stranger',
        cryptographic_binding_methods_supported: ['jwk'],
        credential_signing_alg_values_supported: ['ES256'],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
        credential_metadata: {
          display: [{ name: 'Library card', locale: 'en' }],
          claims: Object.keys(line.claims).map((name) => ({ path: [name], display: [{ name: `your ${name}`, locale: 'en' }] })),
        },
      },
    },
    // What a wallet of ours asks of every issuer, and the library knows nothing of.
    ...(line.entry && { 'urn:vouchsafe:issuer:1': line.entry }),
  });
  const authorization = server.createAuthorizationServerMetadata({
    issuer: origin,
    token_endpoint: `${origin}/token`,
    grant_types_supported: [PRE_AUTHORIZED],
    'pre-authorized_grant_anonymous_access_supported': true,
    ...(line.dpop && { dpop_signing_alg_values_supported: ['ES256'] }),
  });
  const known = issuer.getKnownCredentialConfigurationsSupported(metadata);
  const issuerMetadata = {
    credentialIssuer: metadata,
    authorizationServers: [authorization],
    knownCredentialConfigurations: known,
    originalDraftVersion: 'V1',
  };
  const offer = await issuer.createCredentialOffer({
    credentialConfigurationIds: ['stranger'],
    grants: { [PRE_AUTHORIZED]: { 'pre-authorized_code': code, tx_code: { input_mode: 'numeric', length: 6 } } },
    issuerMetadata,
  });
  return { ...line, jwk, metadata, authorization, issuerMetadata, offer };
}

async function answer({ method, path, headers, body }) {
  switch (`${method} ${path}`) {
    case 'GET /.well-known/openid-credential-issuer':
      return { body: desk.metadata };
    case 'GET /.well-known/oauth-authorization-server':
      return { body: desk.authorization };
    case 'POST /token':
      return grant(headers, Object.fromEntries(new URLSearchParams(body)));
    case 'POST /nonce':
      nonce = random();
      return { headers: { 'cache-control': 'no-store' }, body: issuer.createNonceResponse({ cNonce: nonce }) };
    case 'POST /credential':
      return issue(headers, JSON.parse(body));
    case 'POST /deferred':
      return answerLater(headers, JSON.parse(body));
    case 'POST /notification':
      return note(headers, JSON.parse(body));
    default:
      return { status: 404, body: {} };
  }
}

async function grant(headers, form) {
  const request = { headers: new Headers(headers), method: 'POST', url: `${origin}/token` };
  const parsed = server.parseAccessTokenRequest({ accessTokenRequest: form, request });
  if (desk.dpop) await proved(headers, '/token');
  await server.verifyPreAuthorizedCodeAccessTokenRequest({
    accessTokenRequest: parsed.accessTokenRequest,
    authorizationServerMetadata: desk.authorization,
    grant: parsed.grant,
    request,
    expectedPreAuthorizedCode: code,
    expectedTxCode: txCode,
  });
  const body = { access_token: token, token_type: desk.dpop ? 'DPoP' : 'Bearer', expires_in: 300 };
  return { headers: { 'cache-control': 'no-store' }, body };
}

/** RFC 9449: the proof of a call, with a nonce of ours; the first key is that of the token. */
async function proved(headers, path, accessToken) {
  const { header, payload, jwkThumbprint } = await server.verifyDpopJwt({
    dpopJwt: headers.dpop,
    request: { headers: new Headers(headers), method: 'POST', url: `${origin}${path}` },
    allowedSigningAlgs: ['ES256'],
    accessToken,
    expectedJwkThumbprint: holder,
  });
  check('a proof names its key, and no private part', header.jwk.d === undefined && payload.jti.length >= 16);
  if (payload.nonce !== dpopNonce) {
    const error = new Oauth2ServerErrorResponseError({ error: 'use_dpop_nonce' });
    const challenge = accessToken && { 'www-authenticate': 'DPoP error="use_dpop_nonce"' };
    error.reply = { status: accessToken ? 401 : 400, headers: { 'dpop-nonce': dpopNonce, ...challenge } };
    throw error;
  }
  holder = jwkThumbprint;
}

async function authorised(headers, path) {
  const scheme = desk.dpop ? 'DPoP' : 'Bearer';
  if (headers.authorization !== `${scheme} ${token}`) throw new Oauth2ServerErrorResponseError({ error: 'invalid_token' });
  if (desk.dpop) await proved(headers, path, token);
}

async function note(headers, { notification_id, event }) {
  await authorised(headers, '/notification');
  check('the batch is the one that was collected', notification_id === notificationId);
  tell({ event });
  return { status: 204, body: '' };
}

async function issue(headers, credentialRequest) {
  await authorised(headers, '/credential');
  if (spent) throw new Oauth2ServerErrorResponseError({ error: 'invalid_token' });
  const { proofs, credentialConfigurationId } = issuer.parseCredentialRequest({
    issuerMetadata: desk.issuerMetadata,
    credentialRequest,
  });
  check('the configuration is the one offered', credentialConfigurationId === 'stranger');
  check('no more proofs than the batch has copies', proofs.jwt.length <= desk.batch);
  const verified = await Promise.all(
    proofs.jwt.map((jwt) =>
      issuer.verifyCredentialRequestJwtProof({ issuerMetadata: desk.issuerMetadata, expectedNonce: nonce, jwt }),
    ),
  );
  const keys = verified.map(({ header }) => header.jwk);
  check('every proof has a key of its own', new Set(keys.map(({ x }) => x)).size === keys.length);
  spent = true;
  if (desk.officer) {
    waiting = { keys, asked: 0 };
    tell({ put_off: 1 });
    return { status: 202, body: issuer.createCredentialResponse({ credentialRequest, transactionId, interval: 5 }) };
  }
  const credentials = await Promise.all(keys.map(copy));
  tell({ issued: credentials.length, bound: holder !== undefined });
  const response = issuer.createCredentialResponse({
    credentialRequest,
    credentials: credentials.map((credential) => ({ credential })),
    notificationId,
  });
  return { headers: { 'cache-control': 'no-store' }, body: response };
}

/** OpenID4VCI 9: not yet, and then for the keys of the first request. */
async function answerLater(headers, request) {
  await authorised(headers, '/deferred');
  const { deferredCredentialRequest } = issuer.parseDeferredCredentialRequest({ deferredCredentialRequest: request });
  check('the transaction is the one that was named', deferredCredentialRequest.transaction_id === transactionId);
  check('a request for a transaction names no keys', request.proofs === undefined);
  waiting.asked += 1;
  if (waiting.asked === 1) {
    tell({ put_off: 2 });
    return { status: 202, body: issuer.createDeferredCredentialResponse({ transactionId, interval: 5 }) };
  }
  const credentials = await Promise.all(waiting.keys.map(copy));
  tell({ issued: credentials.length, bound: holder !== undefined });
  const response = issuer.createDeferredCredentialResponse({
    credentials: credentials.map((credential) => ({ credential })),
  });
  // The library makes no answer of this kind with a notification id; OpenID4VCI 9.2 has one.
  return { headers: { 'cache-control': 'no-store' }, body: { ...response, notification_id: notificationId } };
}

/** One copy for one holder; times in whole days, as for any batch whose copies must look alike. */
async function copy({ kty, crv, x, y }) {
  const instance = new SDJwtVcInstance({
    signer: await ES256.getSigner(await ring.export(desk.jwk)),
    signAlg: 'ES256',
    hasher: digest,
    hashAlg: 'sha-256',
    // The library's own salts have 64 bits; RFC 9901 9.3 recommends 128.
    saltGenerator: desk.short_salts ? generateSalt : () => random(),
  });
  const today = Math.floor(Date.now() / 1000 / DAY) * DAY;
  const payload = {
    iss: origin,
    vct: desk.vct,
    iat: today,
    exp: today + 30 * DAY,
    cnf: { jwk: { kty, crv, x, y } },
    ...desk.always,
    ...desk.claims,
  };
  return instance.issue(payload, { _sd: Object.keys(desk.claims) }, { header: { x5c: desk.x5c } });
}

process.on('unhandledRejection', (error) => fail(error.stack));
