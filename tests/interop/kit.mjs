// What the scripts share: their input and output, keys, JOSE by `jose`, certificates by Node, and the callbacks that
// the @openid4vc libraries ask for.
//
// A script is started as `node SCRIPT FILE` with a JSON file and says its result in one line of JSON. None of them
// outlives its test: a minute at most, and no longer than its standard input is open.

import { readFileSync } from 'node:fs';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import * as jose from 'jose';
import { clientAuthenticationAnonymous } from '@openid4vc/oauth2';

export const input = JSON.parse(readFileSync(process.argv[2], 'utf8'));

setTimeout(() => fail('the script took too long'), 60_000).unref();

/** Says the result; the process ends when nothing is left to do. */
export function tell(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** Ends with a reason. */
export function fail(reason) {
  console.error(`failed: ${reason}`);
  process.exit(1);
}

/** Ends unless something holds. */
export function check(what, held) {
  if (!held) fail(what);
}

/** What `work` is refused with; fails when it is not refused. */
export async function refusal(what, work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return fail(`${what} was accepted`);
}

export const now = () => Math.floor(Date.now() / 1000);
export const sha256 = (data) => createHash('sha256').update(data).digest();
export const b64u = (data) => jose.base64url.encode(data);
export const random = () => b64u(randomBytes(24));
export const json = (part) => JSON.parse(new TextDecoder().decode(jose.base64url.decode(part)));

/** Private JWKs by the thumbprint of their public halves. */
export class Ring {
  #keys = new Map();

  /** A fresh key; gives the public half. */
  async make() {
    const { privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
    return this.addJwk(await jose.exportJWK(privateKey));
  }

  /** A key in PEM. */
  async addPem(pem) {
    return this.addJwk(await jose.exportJWK(await jose.importPKCS8(pem, 'ES256', { extractable: true })));
  }

  /** A private JWK. */
  async addJwk({ kty, crv, x, y, d }) {
    const jwk = { kty, crv, x, y };
    this.#keys.set(await jose.calculateJwkThumbprint(jwk), { ...jwk, d });
    return jwk;
  }

  /** The private half, as a JWK. */
  async export(jwk) {
    const key = this.#keys.get(await jose.calculateJwkThumbprint(jwk));
    check('the key is ours', key !== undefined);
    return key;
  }

  /** A compact JWS. */
  async sign(jwk, header, payload) {
    const bytes = new TextEncoder().encode(JSON.stringify(payload));
    const signing = new jose.CompactSign(bytes).setProtectedHeader({ alg: 'ES256', ...header });
    return signing.sign(await jose.importJWK(await this.export(jwk), 'ES256'));
  }
}

/** The public key of an x5c certificate. */
export async function keyOf(certificate) {
  const leaf = new X509Certificate(Buffer.from(certificate, 'base64'));
  return jose.exportJWK(leaf.publicKey);
}

/** Whether a chain of one certificate leads to the anchor and names `uri`. */
export function leads(x5c, anchorPem, uri) {
  const leaf = new X509Certificate(Buffer.from(x5c[0], 'base64'));
  const anchor = new X509Certificate(anchorPem);
  const named = uri === undefined || `${leaf.subjectAltName}`.split(', ').includes(`URI:${uri}`);
  return x5c.length === 1 && leaf.checkIssued(anchor) && leaf.verify(anchor.publicKey) && named;
}

/** What @openid4vc asks of its host. */
export function callbacks(ring, anchorPem, fetcher = fetch) {
  const jwkOf = async (signer) => (signer.method === 'x5c' ? keyOf(signer.x5c[0]) : signer.publicJwk);
  return {
    fetch: fetcher,
    hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
    generateRandom: (length) => randomBytes(length),
    clientAuthentication: clientAuthenticationAnonymous(),
    signJwt: async (signer, { header, payload }) => {
      const signerJwk = await jwkOf(signer);
      return { jwt: await ring.sign(signerJwk, header, payload), signerJwk };
    },
    verifyJwt: async (signer, { compact }) => {
      const signerJwk = await jwkOf(signer);
      const trusted = signer.method !== 'x5c' || leads(signer.x5c, anchorPem);
      const verified = await jose.compactVerify(compact, await jose.importJWK(signerJwk, 'ES256')).then(
        () => trusted,
        () => false,
      );
      return { verified, signerJwk };
    },
    encryptJwe: async ({ publicJwk, alg, enc, apu, apv }, data) => {
      const party = { ...(apu && { apu: jose.base64url.decode(apu) }), ...(apv && { apv: jose.base64url.decode(apv) }) };
      const jwe = await new jose.CompactEncrypt(new TextEncoder().encode(data))
        .setProtectedHeader({ alg, enc, kid: publicJwk.kid })
        .setKeyManagementParameters(party)
        .encrypt(await jose.importJWK(publicJwk, alg));
      return { encryptionJwk: publicJwk, jwe };
    },
    decryptJwe: async (jwe, { jwk }) => {
      const key = await jose.importJWK(await ring.export(jwk), 'ECDH-ES');
      const { plaintext } = await jose.compactDecrypt(jwe, key);
      return { decrypted: true, decryptionJwk: jwk, payload: new TextDecoder().decode(plaintext) };
    },
    getX509CertificateMetadata: (certificate) => {
      const { subjectAltName } = new X509Certificate(Buffer.from(certificate, 'base64'));
      const names = `${subjectAltName}`.split(', ');
      const of = (kind) => names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
      return { sanDnsNames: of('DNS:'), sanUriNames: of('URI:') };
    },
  };
}

/** The lines of JSON that the test sends; the script ends with them. */
export async function* lines() {
  const { createInterface } = await import('node:readline');
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line);
  process.exit(0);
}

/**
 * A server on a free port of loopback, over TLS with the certificate of the input; gives its origin.
 * `answer(request)` gets {method, path, headers, body} and gives {status?, type?, headers?, body}.
 */
export async function serve(answer) {
  const { createServer } = await import('node:https');
  const server = createServer({ key: input.tls_key, cert: input.tls_certificate }, async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { method, url: path, headers } = incoming;
    const request = { method, path, headers, body: Buffer.concat(chunks).toString() };
    const reply = await answer(request).catch(refused);
    const type = reply.status !== 204 && { 'content-type': reply.type ?? 'application/json' };
    outgoing.writeHead(reply.status ?? 200, { ...type, ...reply.headers });
    outgoing.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://localhost:${server.address().port}`;
}

/** A library's refusal on the wire; anything else is a fault of the script. */
function refused(error) {
  if (!error.errorResponse) fail(error.stack);
  return { status: 400, body: error.errorResponse, ...error.reply };
}
