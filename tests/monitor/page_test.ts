/** The page as a browser shows it. */

import axe from "axe-core";
import { assert, assertEquals } from "@std/assert";
import { type Browser, chromium, type Page } from "playwright-core";
import { CaptureServer } from "../helpers/capture_server.ts";
import type { RunningCli } from "../helpers/cli.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { Host } from "../helpers/host.ts";

const ignore = !hasProgram("chromium");
/** The browser's own processes outlive the steps of a test. */
const loose = { sanitizeOps: false, sanitizeResources: false };

async function launch(): Promise<Browser & AsyncDisposable> {
  return await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

async function portOf(agent: RunningCli): Promise<string> {
  await agent.said("Showing how it goes on ");
  return /Showing how it goes on http:\S+:(\d+)\//.exec(agent.stderr)![1]!;
}

/** Opens the page, and takes note of whatever the browser complains of. */
async function open(
  browser: Browser,
  port: string,
): Promise<{ page: Page; complaints: string[] }> {
  const complaints: string[] = [];
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`http://127.0.0.1:${port}/`);
  return { page, complaints };
}

Deno.test(
  "the page shows a delivery within two seconds, and goes on when the agent is started again",
  {
    ignore,
    ...loose,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using first = await host.startAgent("--listen", "0");
    const port = await portOf(first);
    const browser = await launch();
    try {
      const { page, complaints } = await open(browser, port);
      await page.getByText("everything is delivered").waitFor();
      await host.enqueue(host.write("a.png", "12345"));
      const delivered = page.locator("#tiles div", { hasText: "Delivered" })
        .locator("dd").first();
      await delivered.filter({ hasText: /^1$/ }).waitFor({ timeout: 2_000 });
      assertEquals(complaints, []);

      first.kill("SIGTERM");
      await first.ended();
      await page.getByText("The agent does not answer").waitFor();
      await using _second = await host.startAgent("--listen", port);
      await page.getByText("everything is delivered").waitFor();
      assertEquals(await delivered.textContent(), "1");
    } finally {
      await browser.close();
    }
  },
);

Deno.test(
  "the page is accessible, light and dark, on a screen and on a phone, and breaks no rule of its own",
  {
    ignore,
    ...loose,
  },
  async () => {
    await using server = new CaptureServer();
    server.answer = () => new Response("no", { status: 422 });
    await using host = new Host(server.url);
    await host.enqueue(host.write("a.png"), host.write("b.png"));
    const missing = host.join("missing");
    await using agent = await host.startAgent(
      "--listen",
      "0",
      "--watch",
      missing,
    );
    const port = await portOf(agent);
    const browser = await launch();
    try {
      const { page, complaints } = await open(browser, port);
      await page.getByRole("cell", { name: "HTTP 422: no" }).waitFor();
      await page.getByRole("img", { name: "delivered in the last 24" })
        .waitFor();
      for (const colorScheme of ["light", "dark"] as const) {
        for (const width of [1200, 360]) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 800 });
          // By the debugger: the page's own policy lets no other script in.
          await page.evaluate(axe.source);
          const { violations } = await page.evaluate<axe.AxeResults>(
            "axe.run(document)",
          );
          assertEquals(
            violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`),
            [],
            `${colorScheme}, ${width} pixels wide`,
          );
          const isTooWide = await page.evaluate<boolean>(
            "document.documentElement.scrollWidth > innerWidth",
          );
          assert(!isTooWide, `it fits into ${width} pixels`);
        }
      }
      assertEquals(complaints, []);
    } finally {
      await browser.close();
    }
  },
);
