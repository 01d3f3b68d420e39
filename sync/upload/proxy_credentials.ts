import { variable, VariableError } from "../host/environment.ts";

/** The variables of the environment that name a proxy. */
const VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
  .flatMap((name) => [name, name.toLowerCase()]);

/** A password for a proxy; without one, the name in its place is the secret. */
export interface ProxyCredentials {
  password: string;
  /** Name and password, as they are sent in base64. */
  basic: string;
}

/** Returns the credentials of all proxies that the environment names, as they are written and percent-decoded. */
export function proxyCredentials(): ProxyCredentials[] {
  return VARIABLES.flatMap((name) => {
    const [, given] = /^(?:[a-z\d+.-]+:\/\/)?(.+)@/is.exec(textOf(name)) ?? [];
    if (given === undefined) return [];
    return [...new Set([given, decoded(given)])].map((text) => {
      const [user = "", ...rest] = text.split(":");
      const password = rest.join(":") || user;
      return { password, basic: `${user}:${rest.join(":")}` };
    });
  });
}

function textOf(name: string): string {
  try {
    return variable(name) ?? "";
  } catch (error) {
    // No proxy has such an address.
    if (error instanceof VariableError) return "";
    throw error;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
