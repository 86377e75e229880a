// An independent verifier: @sd-jwt reads credentials and presentations, jose the rest.
//
// input: {anchor, now, issued: [text], presented: [{text, aud, nonce}], lists?, decision?, decision_jwks?}
// result: {issued: [claims], presented: [claims], thumbprint, decision?}
// Signatures, certificates, digests and key bindings are checked; what the claims say is for the caller to judge.

import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { digest, generateSalt, ES256 } from '@sd-jwt/crypto-nodejs';
import { calculateJwkThumbprint, compactVerify, createLocalJWKSet, importJWK, jwtVerify } from 'jose';
import { check, fail, input, json, keyOf, leads, tell } from './kit.mjs';

// Where the clock of a story is held, what has expired is judged by its time.
const at = { currentDate: input.now };

/** The issuer's key, once its certificate has led to the anchor and names the issuer of the credential. */
async function issuerOf(text) {
  const [header, claims] = text.split('~')[0].split('.').map((part, i) => (i < 2 ? json(part) : part));
  check('the type of the token is dc+sd-jwt', header.typ === 'dc+sd-jwt' && header.alg === 'ES256');
  check('the certificate leads to the anchor and names the issuer', leads(header.x5c, input.anchor, claims.iss));
  return keyOf(header.x5c[0]);
}

async function reader(text) {
  return new SDJwtVcInstance({
    hasher: digest,
    hashAlg: 'sha-256',
    saltGenerator: generateSalt,
    verifier: await ES256.getVerifier(await issuerOf(text)),
    kbVerifier: async (data, signature, payload) => (await ES256.getVerifier(payload.cnf.jwk))(data, signature),
    // The state of a credential is read by another script, over a list of which every entry is known.
    statusListFetcher: async () => fail('nobody asked for the status'),
  });
}

async function issued(text) {
  const { payload } = await (await reader(text)).verify(text, at);
  check('the issued text ends with a tilde', text.endsWith('~'));
  return payload;
}

async function presented({ text, aud, nonce }) {
  const { payload, kb } = await (await reader(text)).verify(text, { ...at, keyBindingNonce: nonce });
  check('there is a key binding', kb !== undefined);
  // The library checks the nonce; the rest of the key binding is checked here, with another library.
  const binding = text.slice(text.lastIndexOf('~') + 1);
  const read = await jwtVerify(binding, await importJWK(payload.cnf.jwk, 'ES256'), {
    audience: aud,
    typ: 'kb+jwt',
    ...(input.now && { currentDate: new Date(input.now * 1000) }),
    maxTokenAge: '5 minutes',
  });
  check('the key binding names one audience', read.payload.aud === aud && read.payload.nonce === nonce);
  return payload;
}

async function decision() {
  const { payload, protectedHeader } = await compactVerify(input.decision, createLocalJWKSet(input.decision_jwks));
  check('the decision is one', protectedHeader.typ === 'vouchsafe-decision+jwt');
  return JSON.parse(new TextDecoder().decode(payload));
}

try {
  tell({
    issued: await Promise.all((input.issued ?? []).map(issued)),
    presented: await Promise.all((input.presented ?? []).map(presented)),
    ...(input.issued?.length && { thumbprint: await calculateJwkThumbprint(await issuerOf(input.issued[0])) }),
    ...(input.decision && { decision: await decision() }),
  });
} catch (error) {
  fail(error.stack);
}
