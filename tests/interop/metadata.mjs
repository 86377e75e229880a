// The issuer's metadata, signed, by HTTP and jose alone (OpenID4VCI 12.2.3).
//
// input: {issuer, anchor}
// result: {members}

import { compactVerify, importJWK } from 'jose';
import { check, fail, input, json, keyOf, leads, now, tell } from './kit.mjs';

const address = `${input.issuer}/.well-known/openid-credential-issuer`;

try {
  const plain = await (await fetch(address, { headers: { accept: 'application/json' } })).json();
  const response = await fetch(address, { headers: { accept: 'application/jwt' } });
  check('it comes as a JWT', response.headers.get('content-type') === 'application/jwt');
  const text = await response.text();
  const header = json(text.split('.')[0]);
  check('typ and alg', header.typ === 'openidvci-issuer-metadata+jwt' && header.alg === 'ES256');
  check('the certificate leads to the anchor and names the issuer', leads(header.x5c, input.anchor, input.issuer));
  const { payload } = await compactVerify(text, await importJWK(await keyOf(header.x5c[0]), 'ES256'));
  const { iss, sub, iat, exp, ...members } = JSON.parse(new TextDecoder().decode(payload));
  check('it is about the issuer', sub === input.issuer && (iss ?? sub) === sub);
  check('times', Number.isInteger(iat) && iat <= now() + 60 && (exp === undefined || exp > now()));
  check('no member of a draft', !('signed_metadata' in members) && !('signed_metadata' in plain));
  const same = Object.keys(plain).every((name) => JSON.stringify(members[name]) === JSON.stringify(plain[name]));
  check('it says what the plain document says', same);
  tell({ members: Object.keys(members).length });
} catch (error) {
  fail(error.stack);
}
