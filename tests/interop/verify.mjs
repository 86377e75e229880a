// Checks, with independent software, what we issued, presented and decided.
//
// usage: node verify.mjs FILE
// FILE is JSON: {issuer_jwk, vct, now, issued, presentation, audience, nonce, expected, absent, decision, decision_jwks}.
// Prints one line a check and ends with status 1 at the first that fails.

import { readFileSync } from 'node:fs';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { digest, generateSalt, ES256 } from '@sd-jwt/crypto-nodejs';
import { createLocalJWKSet, importJWK, compactVerify, jwtVerify, calculateJwkThumbprint } from 'jose';

const input = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuerKey = await ES256.getVerifier(input.issuer_jwk);
const sdJwt = new SDJwtVcInstance({
  hasher: digest,
  hashAlg: 'sha-256',
  saltGenerator: generateSalt,
  verifier: issuerKey,
  // The library checks the nonce; the rest of the key binding is checked below, with another library.
  kbVerifier: async (data, signature, payload) => (await ES256.getVerifier(payload.cnf.jwk))(data, signature),
});

function check(what, held) {
  if (!held) {
    console.error(`failed: ${what}`);
    process.exit(1);
  }
  console.log(`ok: ${what}`);
}

// The clock of the story is held; what has expired is judged by its time.
const at = { currentDate: input.now };
const issued = await sdJwt.verify(input.issued, at);
check('the issued credential verifies', issued.payload.vct === input.vct);

const shown = await sdJwt.verify(input.presentation, { ...at, keyBindingNonce: input.nonce });
check('the presentation verifies with its key binding', shown.kb !== undefined);
check('the disclosed claims arrive', input.expected.every(([name, value]) => shown.payload[name] === value));
check('nothing else was disclosed', input.absent.every((name) => !(name in shown.payload)));

const kb = input.presentation.slice(input.presentation.lastIndexOf('~') + 1);
const holder = await importJWK(shown.payload.cnf.jwk, 'ES256');
const { payload, protectedHeader } = await jwtVerify(kb, holder, {
  audience: input.audience,
  typ: 'kb+jwt',
  currentDate: new Date(input.now * 1000),
});
check('the key binding names us, once', payload.aud === input.audience && protectedHeader.alg === 'ES256');
check('the nonce is the one asked for', payload.nonce === input.nonce);

if (input.decision) {
  const keys = createLocalJWKSet(input.decision_jwks);
  const { payload: bytes, protectedHeader: header } = await compactVerify(input.decision, keys);
  const decision = JSON.parse(new TextDecoder().decode(bytes));
  check('the decision verifies with the published keys', header.typ === 'vouchsafe-decision+jwt');
  check('the decision says what it should', decision.outcome === input.outcome);
}
check('key thumbprints agree', (await calculateJwkThumbprint(input.issuer_jwk)) === input.issuer_thumbprint);
