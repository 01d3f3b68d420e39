/** Makes a certificate for "localhost" that nobody vouches for, and its key, both as PEM. */
export async function selfSigned(): Promise<{ cert: string; key: string }> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  const publicInfo = await crypto.subtle.exportKey("spki", publicKey);
  // ecdsa-with-SHA256, and a name with a common name (2.5.4.3).
  const algorithm = der(0x30, oid("2a8648ce3d040302"));
  const commonName = der(0x30, oid("550403"), der(0x0c, ascii("localhost")));
  const name = der(0x30, der(0x31, commonName));
  const content = der(
    0x30,
    der(0xa0, der(0x02, [2])),
    der(0x02, [1]),
    algorithm,
    name,
    der(0x30, time("20000101000000Z"), time("29991231235959Z")),
    name,
    [...new Uint8Array(publicInfo)],
  );
  const signature = new Uint8Array(
    await crypto.subtle.sign(
      { name: "ECDSA", hash: "SHA-256" },
      privateKey,
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
