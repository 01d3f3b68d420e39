import type { Log } from "../../host/log.ts";
import { isReadableOnTheWay } from "../../upload/server_url.ts";
import { CaptureUploader, type Readiness } from "../../upload/uploader.ts";
import { UsageError } from "../arguments.ts";
import type { Settings } from "../settings/config.ts";
import type { TokenSource } from "../settings/token.ts";

/**
 * Returns an uploader with the settings.
 *
 * @param options `maxRetries` is 1 by default; `log` takes warnings about the settings;
 * `onSent` as for the uploader.
 * @throws {UsageError} if they name no server.
 */
export function createUploader(
  settings: Omit<Settings, "token"> & {
    token: Pick<TokenSource, "get" | "renew">;
  },
  { maxRetries = 1, log, onSent }: {
    maxRetries?: number;
    log?: Log;
    onSent?: (bytes: number) => void;
  } = {},
): CaptureUploader {
  const { server, token, tls, proof, allowInsecure, timeoutMs } = settings;
  if (server === null) {
    throw new UsageError(
      "Cannot tell where to send captures: expected --server URL or JARVIS_SERVER_URL",
    );
  }
  if (allowInsecure && isReadableOnTheWay(new URL(server))) {
    log?.(
      "warn",
      `Captures and token go to ${server} in plain http://, readable by everybody on the way (--allow-insecure)`,
    );
  }
  if (proof === "status") {
    log?.(
      "warn",
      "Whatever answers 2xx is taken for the capture server, a captive portal too: what that got is lost (--proof status)",
    );
  }
  return new CaptureUploader(server, {
    maxRetries,
    timeout: timeoutMs,
    ...(onSent && { onSent }),
    bandwidth: () => settings.bandwidth.at(Date.now()),
    token: () => token.get(),
    renewToken: (refused) => token.renew(refused),
    tls,
    proof,
    allowInsecure,
  });
}

/** Returns a line on whether a server can be used, and if not, the reason. */
export function describeReadiness(url: string, readiness: Readiness): string {
  if (!readiness.ready) return `${url} is not ready: ${readiness.reason}`;
  return readiness.isPage
    ? `${url} answers with an HTML page, as a login page or another server does; expected the capture server`
    : `${url} is ready`;
}
