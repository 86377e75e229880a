// A stranger's verifier: @openid4vc/openid4vp asks and reads the answer.
//
// input: {tls_key, tls_certificate}; says {origin}
// then a line for each request: {key, x5c, client_id, dcql_query, verifier_info?, method, signed, unusual?, extra_keys?};
// says {link}
// An answer is told in {vp_token, aud, nonce}, an error of the wallet in {error}.

import { randomBytes } from 'node:crypto';
import { Openid4vpVerifier } from '@openid4vc/openid4vp';
import { b64u, callbacks, check, fail, input, lines, random, Ring, serve, tell } from './kit.mjs';

const ring = new Ring();
const verifier = new Openid4vpVerifier({ callbacks: callbacks(ring, '') });
let asked;

const origin = await serve(answer);
tell({ origin });
for await (const line of lines()) {
  asked = await prepare(line);
  const { authorizationRequest } = await request(undefined);
  const link = new URL(authorizationRequest);
  if (line.method === 'post') link.searchParams.set('request_uri_method', 'post');
  tell({ link: link.toString() });
}

async function prepare(line) {
  const signer = await ring.addPem(line.key);
  const encryption = { ...(await ring.make()), kid: random(), use: 'enc', alg: 'ECDH-ES' };
  const payload = {
    response_type: 'vp_token',
    response_mode: 'direct_post.jwt',
    client_id: line.client_id,
    response_uri: `${origin}/a/1`,
    // OpenID4VP 5.2 and 5.3 leave the lengths open.
    nonce: line.unusual ? b64u(randomBytes(32)) : random(),
    state: line.unusual ? b64u(randomBytes(48)) : random(),
    // RFC 9101 10.8 lets an object have an iss; unknown parameters are ignored.
    ...(line.unusual && { iss: 'https://another.example', [random()]: random() }),
    dcql_query: line.dcql_query,
    ...(line.verifier_info && { verifier_info: line.verifier_info }),
    client_metadata: {
      jwks: { keys: [...(line.extra_keys ?? []), encryption] },
      encrypted_response_enc_values_supported: ['A256GCM', 'A128GCM'],
      vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
    },
  };
  return { line, signer, payload };
}

/** The request by reference and signed, or by value and unsigned. */
function request(wallet_nonce) {
  const { line, payload } = asked;
  const jar = {
    requestUri: `${origin}/r/1`,
    expiresInSeconds: 300,
    jwtSigner: { method: 'x5c', alg: 'ES256', x5c: line.x5c },
    // The library would name its own address: OpenID4VP 5.8 has one audience for all wallets.
    additionalJwtPayload: { aud: 'https://self-issued.me/v2' },
  };
  return verifier.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: { ...payload, ...(wallet_nonce && { wallet_nonce }) },
    ...(line.signed && { jar }),
    // The library writes a wallet_nonce only when it is told to expect it.
    ...(wallet_nonce && { wallet: { expectedNonce: wallet_nonce } }),
  });
}

async function answer({ method, path, body }) {
  const form = Object.fromEntries(new URLSearchParams(body));
  if (path === '/r/1') {
    check('the request is fetched as the link says', method.toLowerCase() === asked.line.method);
    if (method === 'POST') check('the wallet says what it can do', JSON.parse(form.wallet_metadata) !== undefined);
    const { jar } = await request(form.wallet_nonce);
    return { type: 'application/oauth-authz-req+jwt', body: jar.authorizationRequestJwt };
  }
  check('the answer is posted to its address', method === 'POST' && path === '/a/1');
  if (form.error) {
    tell({ error: form.error, same_state: form.state === asked.payload.state });
    return { body: {} };
  }
  const parsed = await verifier.parseOpenid4vpAuthorizationResponse({
    authorizationResponse: form,
    authorizationRequestPayload: asked.payload,
    callbacks: callbacks(ring, ''),
  });
  check('the answer is encrypted', parsed.jarm.type === 'Encrypted');
  tell({ vp_token: parsed.dcql.presentations, aud: asked.payload.client_id, nonce: parsed.expectedNonce });
  return { body: { redirect_uri: `${origin}/done` } };
}

process.on('unhandledRejection', (error) => fail(error.stack));
