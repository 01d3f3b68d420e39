import { variable, VariableError } from "../host/environment.ts";
import { tryTo } from "../host/try_to.ts";

/** The variables of the environment that name a proxy. */
const VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
  .flatMap((name) => [name, name.toLowerCase()]);

/** The addresses that Deno can use; it passes over others without a word. */
const ADDRESS =
  /^(?:(?:https?|socks5h?):\/\/)?(?:[\w.~!$&'()*+,;=:%@-]+@)?(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?(?:[/?][\w.~!$&'()*+,;=:%@/?-]*)?$/i;

/** A proxy that the environment names. */
export interface Proxy {
  /** The variable's name. */
  name: string;
  /** Without credentials; `undefined` if Deno cannot use it. */
  host: string | undefined;
}

/** Returns the proxy for what goes to a server, but for what NO_PROXY names; `undefined` if there is none. */
export function proxyFor(serverUrl: string): Proxy | undefined {
  const { protocol } = new URL(serverUrl);
  const own = protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const name = [own, own.toLowerCase(), "ALL_PROXY", "all_proxy"]
    .find((name) => variable(name));
  if (name === undefined) return undefined;
  const text = variable(name)!;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return { name, host: ADDRESS.test(text) ? url?.host : undefined };
}

/** The entries of NO_PROXY that no host can match: Deno passes over them without a word. */
export function idleExceptions(): { name: string; entries: string[] } {
  const name = variable("NO_PROXY") === undefined ? "no_proxy" : "NO_PROXY";
  const entries = (variable(name) ?? "").split(",").map((text) => text.trim());
  return { name, entries: entries.filter((text) => text && !mayMatch(text)) };
}

/** Names match as they are written, with all below them; addresses alone or as a network. */
function mayMatch(entry: string): boolean {
  if (entry === "*") return true;
  const [host = "", bits = "0", ...more] = entry.split("/");
  const isIpv4 = /^\d+(\.\d+){3}$/.test(host) && URL.canParse(`http://${host}`);
  if (isIpv4 || URL.canParse(`http://[${host}]`)) {
    return /^\d+$/.test(bits) && more.length === 0;
  }
  return /^\.?[a-z\d_-]+(\.[a-z\d_-]+)*$/.test(entry) &&
    !/(^|\.)\d+$/.test(entry);
}

/** What is expected of an entry of NO_PROXY. */
export const EXPECTED_EXCEPTION =
  'write each as a name in lower case without "*" or port, which holds for all names below it, or as an IP address or a network like 10.0.0.0/8, with commas between them';

/** What is expected of a variable that names a proxy. */
export const EXPECTED_PROXY =
  "an address like http://USER:PASSWORD@HOST:PORT, of http, https or socks5, in which other characters than letters and digits are percent-encoded";

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
    const decoded = tryTo(() => decodeURIComponent(given)) ?? given;
    return [...new Set([given, decoded])].map((text) => {
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
