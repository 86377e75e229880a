// A service's system in Node: a token, a question, its events, the decision. Needs the package `jose`.
//
// Set VERIFIER, CLIENT, SERVICE, KEY (PEM), POLICY and, for a private authority, NODE_EXTRA_CA_CERTS. Prints the page for
// the applicant's browser, each event, and at the end the outcome.

import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as jose from 'jose';

const { VERIFIER, CLIENT, SERVICE, KEY, POLICY, ENVIRONMENT = 'test' } = process.env;
const pem = await readFile(KEY, 'utf8');
const key = await jose.importPKCS8(pem, 'ES256');
// RFC 7638: the kid under which the operator registered the key.
const kid = await jose.calculateJwkThumbprint(createPublicKey(pem).export({ format: 'jwk' }));

/** One call; a refusal is told with its problem, whose `reference` is what to quote. */
async function call(path, { token, ...init } = {}) {
  const headers = { ...init.headers, ...(token && { authorization: `Bearer ${token}` }) };
  const reply = await fetch(VERIFIER + path, { ...init, headers });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  return reply;
}

const json = async (path, init) => (await call(path, init)).json();

/** RFC 7523, tightened: `aud` is the issuer identifier alone, `typ` says what it is, and it lives a minute. */
async function obtainToken() {
  const assertion = await new jose.SignJWT({})
    .setProtectedHeader({ alg: 'ES256', typ: 'client-authentication+jwt', kid })
    .setIssuer(CLIENT)
    .setSubject(CLIENT)
    .setAudience(VERIFIER)
    .setIssuedAt()
    .setExpirationTime('1m')
    .setJti(randomUUID())
    .sign(key);
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'requests:write decisions:read',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  return (await json('/oauth/token', { method: 'POST', body })).access_token;
}

/** The key makes it safe to send the call again when its answer is lost. */
const ask = (token, reference) =>
  json('/v1/requests', {
    token,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `"${randomUUID()}"` },
    body: JSON.stringify({ policy: POLICY, flow: 'same_device', reference }),
  });

/** Server-sent events; a stream ends after some seconds and goes on where it stopped. */
async function follow(token, place) {
  let last;
  for (;;) {
    const headers = last ? { 'last-event-id': last } : {};
    const reply = await call(`${place}/events`, { token, headers });
    let rest = '';
    for await (const part of reply.body.pipeThrough(new TextDecoderStream())) {
      const events = (rest + part).split('\n\n');
      rest = events.pop();
      for (const event of events) {
        const fields = Object.fromEntries(event.split('\n').map((line) => line.split(/: (.*)/s, 2)));
        if (!fields.data) continue;
        last = fields.id;
        const { status } = JSON.parse(fields.data);
        console.log('event', status);
        if (status === 'decided') return;
      }
    }
    await sleep(1000);
  }
}

/** Offline: the signature by a published key, then issuer, audience, type, time, request and environment. */
async function verify({ decision, ref_salt: salt }, keys, id, reference) {
  const { payload } = await jose.jwtVerify(decision, jose.createLocalJWKSet(keys), {
    issuer: VERIFIER,
    audience: SERVICE,
    typ: 'vouchsafe-decision+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['exp', 'iat', 'jti'],
  });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(reference));
  const parts = ['vouchsafe/v1/ref', Buffer.from(salt, 'base64url'), length, reference];
  const hashed = parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('base64url');
  if (payload.request_id !== id) throw new Error('the decision is about another request');
  if (payload.env !== ENVIRONMENT) throw new Error('the decision is of another environment');
  if (payload.ref !== hashed) throw new Error('the decision is about another reference');
  return payload;
}

const reference = 'PASS-2026-0042';
const token = await obtainToken();
const asked = await ask(token, reference);
console.log('page', asked.url);
const place = `/v1/requests/${asked.id}`;
await follow(token, place);
// A token lives five minutes, and people take their time.
const told = await json(`${place}/decision`, { token: await obtainToken() });
const keys = await json('/.well-known/jwks.json');
const { outcome } = await verify(told, keys, asked.id, reference);
console.log('outcome', outcome);
