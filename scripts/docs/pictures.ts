/**
 * Takes the pictures of the documentation: the page, and `status` in four states,
 * of a real agent and a real server. It needs Debian's chromium.
 *
 *     deno run -A --import-map=scripts/npm/import_map.json \
 *       --lock=scripts/npm/deno.lock --frozen scripts/docs/pictures.ts
 */

import { join } from "@std/path";
import { type Browser, chromium } from "playwright-core";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { projectPath } from "../task/bindings.ts";
import { Shell } from "./shell.ts";

const FOLDER = "docs/images";
/** The address of the page in the pictures: its port is another each time. */
const PAGE = "http://127.0.0.1:9464";

const HOUR_MS = 3_600_000;
const SAMPLE_MS = 300_000;

const SERVER =
  "deno task server --port 8000 --dir received --max-bytes 400000 > server.log 2>&1 & server=$!";
const STOP_SERVER = "kill $server; wait $server";

/** Makes a host with a server, an agent and a day behind it. */
async function prepare(shell: Shell): Promise<void> {
  await shell.run(
    "umask 077; mkdir -p Captures .config/jarvis; echo spring > token",
  );
  await shell.run(`cat > .config/jarvis/agent.env <<END
JARVIS_SERVER_URL=http://127.0.0.1:8000
JARVIS_TOKEN_FILE=$HOME/token
JARVIS_MAX_SPOOL_BYTES=2G
JARVIS_WATCH=$HOME/Captures
END`);
  await shell.run(
    "for n in $(seq 40); do head -c $((n * 9431)) /dev/urandom > Captures/door-$n.png; done",
  );
  await shell.run(`JARVIS_TOKEN=spring ${SERVER}`);
  await shell.run("jarvis-agent enqueue Captures/door-1.png");
  addDay(join(shell.home, ".local/share/jarvis/queue.db"));
  await shell.run("jarvis-agent run --listen 0 > agent.log 2>&1 &");
  await shell.run(
    "until [ $(jarvis-agent history | wc -l) = 41 ]; do sleep 0.2; done",
  );
}

/** A day as an office has it, with an outage at noon that takes two hours. */
function addDay(path: string): void {
  using queue = new UploadQueue(path);
  const now = Date.now();
  let waiting = 0;
  for (let ago = 24 * HOUR_MS; ago > 0; ago -= SAMPLE_MS) {
    const hours = ago / HOUR_MS;
    const isOut = hours > 7 && hours < 9;
    const come = hours > 15
      ? 0
      : Math.round(12 + 8 * Math.sin(hours * 1.7) + 4 * Math.sin(hours * 9));
    const delivered = isOut ? 0 : Math.min(waiting + come, 70);
    waiting += come - delivered;
    queue.addSample({ timeMs: now - ago, waiting, delivered });
  }
}

/** Takes the page, with its own address and that of the server as they are shown. */
async function takePage(
  browser: Browser,
  shell: Shell,
  name: string,
  look: { colorScheme: "light" | "dark"; width: number },
): Promise<void> {
  const { colorScheme, width } = look;
  const log = Deno.readTextFileSync(join(shell.home, "agent.log"));
  const [real] = /http:\/\/127\.0\.0\.1:\d+(?=\/)/.exec(log)!;
  const page = await browser.newPage({
    colorScheme,
    viewport: { width, height: 400 },
  });
  await page.route(`${PAGE}/**`, async (route) => {
    const url = route.request().url().replace(PAGE, real);
    const response = await fetch(url);
    await route.fulfill({
      headers: Object.fromEntries(response.headers),
      body: shell.shown(await response.text()),
    });
  });
  await page.goto(PAGE);
  await page.locator("#chart svg").waitFor();
  await page.locator("#tiles div").first().waitFor();
  await page.screenshot({ path: pathOf(name), fullPage: true });
  await page.close();
}

/** Takes a picture of a command's output, as a terminal shows it. */
async function takeTerminal(
  browser: Browser,
  shell: Shell,
  name: string,
): Promise<void> {
  const command = "jarvis-agent status";
  const printed = await shell.run(command);
  const page = await browser.newPage({ viewport: { width: 900, height: 100 } });
  await page.setContent(`<style>
    body { background: #1d2026; margin: 0; padding: 14px 18px; }
    pre { color: #dfe3ea; font: 13px/1.45 "DejaVu Sans Mono", monospace; margin: 0;
      white-space: pre-wrap; overflow-wrap: anywhere; width: 108ch; }
  </style><pre></pre>`);
  await page.locator("pre").evaluate(
    (pre: { textContent: string }, text: string) => pre.textContent = text,
    `$ ${command}\n${printed}`,
  );
  await page.screenshot({ path: pathOf(name), fullPage: true });
  await page.close();
}

const pathOf = (name: string) => projectPath(`${FOLDER}/${name}.png`);

async function main(): Promise<void> {
  await using shell = new Shell();
  await prepare(shell);
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  const status = (name: string) => takeTerminal(browser, shell, name);
  try {
    await status("status-well");
    await shell.run(STOP_SERVER);
    await shell.run("jarvis-agent enqueue Captures/door-[1-9].png");
    await shell.run("jarvis-agent sync");
    await status("status-outage");
    await shell.run(`JARVIS_TOKEN=summer ${SERVER}`);
    await shell.run("jarvis-agent sync");
    await status("status-token");
    await shell.run("echo summer > token; jarvis-agent sync");
    await shell.run(
      "for n in 1 2 3; do head -c 700000 /dev/urandom > Captures/talk-$n.mp4; done; mkdir gone; for n in 1 2; do echo $n > gone/desk-$n.png; done",
    );
    await shell.run(
      "jarvis-agent pause; jarvis-agent enqueue --no-copy gone/*; rm -r gone; jarvis-agent resume",
    );
    await shell.run(
      "until jarvis-agent status | grep -q ' 5 failed'; do sleep 0.2; done",
    );
    await status("status-failed");
    await takePage(browser, shell, "page-light", {
      colorScheme: "light",
      width: 1000,
    });
    await takePage(browser, shell, "page-dark", {
      colorScheme: "dark",
      width: 1000,
    });
    await takePage(browser, shell, "page-phone", {
      colorScheme: "light",
      width: 390,
    });
  } finally {
    await browser.close();
  }
}

if (import.meta.main) await main();
