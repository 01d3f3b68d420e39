/** A certificate and its key, both as PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

/** An authority that no system knows of. */
export interface Authority {
  /** Its certificate as PEM: whoever trusts this trusts what it signs. */
  cert: string;
  /** Makes a certificate, if nothing else is said for "localhost" and 127.0.0.1. */
  sign(options?: {
    host?: string;
    until?: string;
    /** Whether it is another authority's. */
    isCa?: boolean;
    /** Whether it is for clients alone. */
    isForClients?: boolean;
  }): Promise<Certificate>;
}

interface Signer {
  name: string;
  keys: CryptoKeyPair;
}

/** Makes a certificate for "localhost" that nobody vouches for. */
export async function selfSigned(): Promise<Certificate> {
  const signer = { name: "localhost", keys: await newKeys() };
  return await certificate(signer, signer, []);
}

/** Makes a new authority. */
export async function newAuthority(): Promise<Authority> {
  const authority = { name: "Test authority", keys: await newKeys() };
  const maySign = extension("551d13", der(0x30, der(0x01, [0xff])));
  const { cert } = await certificate(authority, authority, [maySign]);
  return {
    cert,
    sign: async ({ host, until, isCa, isForClients } = {}) => {
      const subject = { name: host ?? "localhost", keys: await newKeys() };
      const names = [der(0x82, ascii(subject.name))];
      if (host === undefined) names.push(der(0x87, [127, 0, 0, 1]));
      const extensions = [extension("551d11", der(0x30, ...names))];
      if (isCa) extensions.push(maySign);
      if (isForClients) {
        const clientAuth = oid("2b06010505070302");
        extensions.push(extension("551d25", der(0x30, clientAuth)));
      }
      return await certificate(subject, authority, extensions, until);
    },
  };
}

async function newKeys(): Promise<CryptoKeyPair> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function certificate(
  subject: Signer,
  issuer: Signer,
  extensions: number[][],
  until = "29991231235959Z",
): Promise<Certificate> {
  const { privateKey, publicKey } = subject.keys;
  const publicInfo = await crypto.subtle.exportKey("spki", publicKey);
  // ecdsa-with-SHA256
  const algorithm = der(0x30, oid("2a8648ce3d040302"));
  const serial = [1, ...crypto.getRandomValues(new Uint8Array(8))];
  const content = der(
    0x30,
    der(0xa0, der(0x02, [2])),
    der(0x02, serial),
    algorithm,
    commonName(issuer.name),
    der(0x30, time("20000101000000Z"), time(until)),
    commonName(subject.name),
    [...new Uint8Array(publicInfo)],
    ...extensions.length > 0 ? [der(0xa3, der(0x30, ...extensions))] : [],
  );
  const signature = new Uint8Array(
    await crypto.subtle.sign(
      { name: "ECDSA", hash: "SHA-256" },
      issuer.keys.privateKey,
      Uint8Array.from(content),
    ),
  );
  const [r, s] = [signature.slice(0, 32), signature.slice(32)];
  const signed = der(0x30, integer(r!), integer(s!));
  const cert = der(0x30, content, algorithm, der(0x03, [0], signed));
  const key = await crypto.subtle.exportKey("pkcs8", privateKey);
  return {
    cert: pem("CERTIFICATE", cert),
    key: pem("PRIVATE KEY", [...new Uint8Array(key)]),
  };
}

/** A name that is nothing but a common name (2.5.4.3). */
function commonName(name: string): number[] {
  const attribute = der(0x30, oid("550403"), der(0x0c, ascii(name)));
  return der(0x30, der(0x31, attribute));
}

function extension(hexOid: string, value: number[]): number[] {
  return der(0x30, oid(hexOid), der(0x04, value));
}

/** A value in DER: its tag, its length, its parts. */
function der(tag: number, ...parts: number[][]): number[] {
  const content = parts.flat();
  const { length } = content;
  const size = length < 128
    ? [length]
    : length < 256
    ? [0x81, length]
    : [0x82, length >> 8, length & 255];
  return [tag, ...size, ...content];
}

/** A positive number: its first bit says its sign, and leading zeroes are not allowed. */
function integer(bytes: Uint8Array): number[] {
  const digits = [...bytes.subarray(bytes.findIndex((byte) => byte !== 0))];
  return der(0x02, digits[0]! > 127 ? [0, ...digits] : digits);
}

function oid(hex: string): number[] {
  return der(0x06, hex.match(/../g)!.map((byte) => parseInt(byte, 16)));
}

function time(text: string): number[] {
  return der(0x18, ascii(text));
}

function ascii(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

function pem(label: string, bytes: number[]): string {
  const base64 = btoa(String.fromCharCode(...bytes));
  const lines = base64.match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
