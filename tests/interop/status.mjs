// Two independent readers of status lists: @sd-jwt/jwt-status-list and @owf/token-status-list (JWT and CWT); and a
// list of each one's own making, for our reader.
//
// input: {anchor, iss, uri, jwt, cwt, key, x5c, iat}; jwt and cwt are files
// result: {entries, sha256: {jwt, owf, cwt}, ttl, own: {jwt, cwt}}; a digest is over one byte an entry, the CWT in base64url

import { readFileSync } from 'node:fs';
import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto';
import { compactVerify, importJWK } from 'jose';
import * as sdJwt from '@sd-jwt/jwt-status-list';
import * as owf from '@owf/token-status-list';
import { cborDecode, cborEncode, CoseKey, Sign1, SignatureAlgorithm } from '@owf/cose';
import { check, fail, input, json, keyOf, leads, Ring, sha256, tell } from './kit.mjs';

async function readJwt() {
  const text = readFileSync(input.jwt, 'utf8');
  const header = json(text.split('.')[0]);
  check('the type is statuslist+jwt', header.typ === 'statuslist+jwt');
  check('the certificate leads to the anchor and names the issuer', leads(header.x5c, input.anchor, input.iss));
  const { payload } = await compactVerify(text, await importJWK(await keyOf(header.x5c[0]), 'ES256'));
  const claims = JSON.parse(new TextDecoder().decode(payload));
  check('the subject is the address', claims.sub === input.uri && claims.iss === undefined);
  check('there are times', claims.exp > claims.iat && claims.ttl > 0 && claims.status_list.bits === 2);
  return { text, ttl: claims.ttl };
}

function readCwt() {
  const bytes = new Uint8Array(readFileSync(input.cwt));
  // The library's token of this kind keeps no signature: its COSE part does.
  const sign1 = Sign1.decode(bytes);
  check('the type is a status list', sign1.protectedHeaders.headers.get(16) === 'application/statuslist+cwt');
  const der = Buffer.from(sign1.certificate);
  check('the certificate leads to the anchor', leads([der.toString('base64')], input.anchor, input.iss));
  const key = { key: new X509Certificate(der).publicKey, dsaEncoding: 'ieee-p1363' };
  check('the signature holds', verify('sha256', sign1.toBeSigned, key, sign1.signature));
  // The library's own claims demand the optional aggregation_uri, so they are taken apart here and the list is its own.
  const claims = cborDecode(sign1.payload);
  check('the subject is the address', claims.get(2) === input.uri && claims.get(4) > claims.get(6));
  const list = claims.get(65533);
  return owf.StatusList.decompressStatusListFromBytes(list.get('lst'), list.get('bits'));
}

function every(list, entries) {
  return Uint8Array.from({ length: entries }, (_, index) => list.getStatus(index));
}

/** The same as CWT: packed, compressed, encoded and put together by the second library. */
async function ownCwt(statuses) {
  const list = new owf.StatusList([...statuses], 2);
  const key = createPrivateKey(input.key);
  const payload = cborEncode(new Map([
    [2, input.uri],
    [6, input.iat],
    [4, input.iat + 3600],
    [65534, 300],
    [65533, new Map([['bits', 2], ['lst', list.compressStatusListToBytes()]])],
  ]));
  const token = Sign1.create({
    protectedHeaders: new Map([[1, -7], [16, 'application/statuslist+cwt']]),
    unprotectedHeaders: new Map([[33, new Uint8Array(Buffer.from(input.x5c[0], 'base64'))]]),
    payload,
  });
  // The library brings no cryptography.
  const ours = ({ toBeSigned }) => sign('sha256', toBeSigned, { key, dsaEncoding: 'ieee-p1363' });
  const signing = { signingKey: CoseKey.fromJwk(key.export({ format: 'jwk' })), algorithm: SignatureAlgorithm.ES256 };
  const signed = await token.sign(signing, { sign: async (options) => new Uint8Array(ours(options)) });
  return Buffer.from(signed.encode()).toString('base64url');
}

/** A list that the library packs and compresses, signed as the issuer would. */
async function own(statuses) {
  const list = new sdJwt.StatusList([...statuses], 2);
  const claims = { sub: input.uri, iat: input.iat, exp: input.iat + 3600, ttl: 300 };
  const { header, payload } = sdJwt.createHeaderAndPayload(list, claims, { alg: 'ES256', x5c: input.x5c });
  const ring = new Ring();
  return ring.sign(await ring.addPem(input.key), header, payload);
}

try {
  const { text, ttl } = await readJwt();
  const lists = [sdJwt.getListFromStatusListJWT(text), owf.getListFromStatusListJWT(text), readCwt()];
  const { entries } = input;
  const read = lists.map((list) => every(list, entries));
  const [jwt, other, cwt] = read.map((statuses) => sha256(statuses).toString('hex'));
  tell({ sha256: { jwt, owf: other, cwt }, ttl, own: { jwt: await own(read[0]), cwt: await ownCwt(read[0]) } });
} catch (error) {
  fail(error.stack);
}
