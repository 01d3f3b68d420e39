import { isOutage } from "../../agent/server_state.ts";
import { prepareDataDir } from "../../host/data_dir.ts";
import { variable } from "../../host/environment.ts";
import { exists } from "../../host/files.ts";
import { createUploader } from "./create_uploader.ts";
import type { Settings } from "../settings/config.ts";
import { tryTo } from "../../host/try_to.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import type { CommandContext } from "../command.ts";
import { SETTINGS_FILE } from "../settings/own_files.ts";
import { readSecret } from "../settings/secret_file.ts";
import { parseEnvFile } from "../service/env_file.ts";
import { renewed, type TlsFile } from "../settings/tls.ts";

/** The least time between two looks at certificates and keys, in milliseconds. */
const LOOK_MS = 1_000;

export interface ReloadResult {
  settings: Settings;
  /** Whether anything but the token may be another than before. */
  changed: boolean;
  /** Variables that only a restart brings into effect. */
  needRestart: string[];
}

/**
 * Reads the settings of a running program again: the token, certificates, and the
 * file that its environment came from.
 */
export class Reloader {
  /** The source that is read again. */
  readonly what: "settings file" | "token";
  readonly #context: CommandContext;
  readonly #file: string | undefined;
  /** The variables that this file put into the environment at the start. */
  readonly #started: Map<string, string>;
  #settings: Settings;
  #renewed: TlsFile[] = [];
  #lookAt = 0;

  /** Without a settings file only the content of other files can have changed. */
  constructor(context: CommandContext) {
    this.#context = context;
    const file = context.settingsFile?.path;
    this.#file = file !== undefined && exists(file) ? file : undefined;
    this.what = this.#file === undefined ? "token" : "settings file";
    this.#started = this.#read();
    this.#settings = context.settings;
  }

  /**
   * The files with certificates and keys that were renewed since they were read: each
   * version is told of once, whether it can be used or not; empty if there are none, or
   * the server can be used without: a reload looks away from the folders, and breaks off
   * long uploads. To be called at every turn.
   */
  renewed(queue: Pick<UploadQueue, "getAgentState" | "getStats">): string {
    const state = tryTo(() => queue.getAgentState())?.serverState;
    if (!isOutage(state) || tryTo(() => queue.getStats())?.uploading !== 0) {
      return "";
    }
    if (performance.now() < this.#lookAt) return "";
    this.#lookAt = performance.now() + LOOK_MS;
    const before = this.#renewed;
    const now = this.#renewed = renewed(this.#settings.tlsFiles);
    if (JSON.stringify(now) === JSON.stringify(before)) return "";
    // One that could not be used may have given way to the one before.
    const files = now.length > 0 ? now : before;
    return files.map(({ path }) => `"${path}"`).join(", ");
  }

  /** @throws {Error} if they, or the token, cannot be read or used; then nothing has changed. */
  async reload(): Promise<ReloadResult> {
    const before = this.#settings;
    const now = this.#read();
    // Variables that came from the file are read from the file again.
    const env = (name: string) => {
      const value = variable(name);
      const isFromFile = name.startsWith("JARVIS_") &&
        this.#started.get(name) === value;
      return isFromFile ? undefined : value;
    };
    const settings = await this.#context.reread(env);
    await settings.token.reload();
    // An agent that cannot begin anew would end.
    createUploader(settings).close();
    for (const closed of prepareDataDir(settings.dataDir)) {
      this.#context.err(`jarvis-agent: ${closed}`);
    }
    this.#settings = settings;
    this.#renewed = [];
    return {
      settings,
      changed: describe(settings) !== describe(before),
      needRestart: [...new Set([...now.keys(), ...this.#started.keys()])]
        .filter((name) => !name.startsWith("JARVIS_"))
        .filter((name) => now.get(name) !== this.#started.get(name)),
    };
  }

  #read(): Map<string, string> {
    return this.#file === undefined ? new Map() : parseEnvFile(
      readSecret(this.#file, SETTINGS_FILE, () => {}),
    );
  }
}

function describe(
  { token: _, tlsFiles: __, ...settings }: Settings,
): string {
  return JSON.stringify(settings);
}
