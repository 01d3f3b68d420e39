/** Shows what `jarvis-agent status` says, and asks again every second. */

/** @typedef {import("../status_report.ts").StatusReport} StatusReport */
/** @typedef {import("../../queue/queue.ts").Sample} Sample */

const ASK_MS = 1_000;
const HISTORY_MS = 60_000;
const DAY_MS = 86_400_000;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {string} name
 * @param {string} text
 * @param {string} [className]
 */
function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** @param {number} bytes */
function bytesText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    unit++;
  }
  return `${bytes.toFixed(unit && bytes < 100 ? 1 : 0)} ${units[unit]}`;
}

/** @param {number} seconds */
function durationText(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** @param {string | null} time */
function ago(time) {
  if (!time) return "never";
  const seconds = Math.max((Date.now() - Date.parse(time)) / 1000, 0);
  return `${durationText(seconds)} ago`;
}

/** @param {StatusReport} report */
function tilesOf(report) {
  const { server, spool, rate } = report;
  const age = report.oldestPendingAgeSeconds;
  return [
    [
      "Waiting",
      String(report.pending + report.uploading),
      age === null
        ? "nothing waits"
        : `${bytesText(report.waitingBytes)}, the oldest for ${
          durationText(age)
        }`,
    ],
    [
      "Rate",
      rate ? `${rate.capturesPerSecond.toFixed(1)}/s` : "–",
      rate
        ? `${bytesText(rate.bytesPerSecond)}/s, ${
          durationText(rate.secondsLeft)
        } left`
        : "nothing is being sent",
    ],
    [
      "Failed",
      String(report.failed),
      report.failed ? "kept until retried or removed" : "",
    ],
    [
      "Delivered",
      String(report.delivered),
      `last ${ago(server.lastDeliveryAt)}`,
    ],
    [
      "Server",
      server.state,
      server.url ?? "none given",
      server.since ? `since ${new Date(server.since).toLocaleString()}` : "",
    ],
    [
      "Spool",
      bytesText(spool.bytes),
      [
        spool.maxBytes === null ? "" : `of ${bytesText(spool.maxBytes)}`,
        spool.freeBytes === null
          ? ""
          : `${bytesText(spool.freeBytes)} free on the disk`,
      ].filter(Boolean).join(", "),
    ],
  ];
}

/** @param {StatusReport} report */
function show(report) {
  const { level, text } = report.verdict;
  const verdict = byId("verdict");
  // Whoever listens to the page is told only what has changed.
  if (verdict.textContent !== text) verdict.textContent = text;
  verdict.className = level;
  document.title = `${text} – jarvis-agent`;
  byId("host").textContent = location.host;
  byId("advice").replaceChildren(
    ...report.advice.map((line) => element("li", line)),
  );
  byId("tiles").replaceChildren(
    ...tilesOf(report).map(([name = "", value = "", ...more]) => {
      const tile = document.createElement("div");
      tile.append(
        element("dt", name),
        element("dd", value),
        ...more.filter(Boolean).map((text) => element("dd", text, "more")),
      );
      return tile;
    }),
  );
  const hasFailures = report.failedByReason.length > 0;
  byId("failed").hidden = !hasFailures;
  byId("no-failures").hidden = hasFailures;
  byId("failed").querySelector("tbody")?.replaceChildren(
    ...report.failedByReason.map(({ reason, count }) => {
      const row = document.createElement("tr");
      row.append(element("td", String(count)), element("td", reason));
      return row;
    }),
  );
  byId("folders").replaceChildren(
    ...report.folders.map(({ path, watchedBy, reason }) =>
      element("li", `${path}: ${watchedBy}${reason ? ` (${reason})` : ""}`)
    ),
    ...report.folders.length === 0 ? [element("li", "none")] : [],
  );
  const { database, agent, version, time } = report;
  byId("details").textContent =
    `Version ${version}, process ${
      agent.pid ?? "none"
    }, SQLite ${database.sqlite} ` +
    `(${database.engine}), as of ${new Date(time).toLocaleTimeString()}`;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, String(value));
  }
  return made;
}

/**
 * Draws how many waited as a line, and how many were delivered as bars behind it.
 *
 * @param {Sample[]} points
 */
function drawDay(points) {
  // In parts of what there is: only the shape is stretched, no text.
  const [width, height] = [720, 100];
  const now = Date.now();
  /** @param {number} timeMs */
  const x = (timeMs) => width * (1 - (now - timeMs) / DAY_MS);
  const most = {
    waiting: Math.max(1, ...points.map(({ waiting }) => waiting)),
    delivered: Math.max(1, ...points.map(({ delivered }) => delivered)),
  };
  const total = points.reduce((sum, { delivered }) => sum + delivered, 0);
  const label =
    `${total} captures delivered in the last 24 hours, at most ${most.waiting} waiting`;
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": label,
  });
  const barWidth = Math.max(width / 288 - 0.5, 1);
  for (const { timeMs, delivered } of points) {
    const tall = height * delivered / most.delivered;
    picture.append(
      svg("rect", {
        class: "bars",
        x: x(timeMs) - barWidth,
        y: height - tall,
        width: barWidth,
        height: tall,
      }),
    );
  }
  const line = points
    .map(({ timeMs, waiting }) =>
      `${x(timeMs).toFixed(1)},${
        (height * (1 - waiting / most.waiting)).toFixed(1)
      }`
    );
  picture.append(svg("polyline", { class: "waiting", points: line.join(" ") }));
  const hours = document.createElement("div");
  hours.append(
    ...[24, 18, 12, 6, 0].map((ago) =>
      element("span", ago === 0 ? "now" : `−${ago} h`)
    ),
  );
  const legend =
    `Line: waiting, up to ${most.waiting}. Bars: delivered, up to ${most.delivered} in five minutes.`;
  byId("chart").replaceChildren(element("p", legend), picture, hours);
}

/**
 * Asks for something again and again, whatever becomes of it.
 *
 * @template T
 * @param {string} path
 * @param {number} everyMs
 * @param {(answer: T) => void} take
 * @param {(error: Error) => void} [fail]
 */
async function keepAsking(path, everyMs, take, fail = () => {}) {
  while (true) {
    try {
      const response = await fetch(path, {
        signal: AbortSignal.timeout(5_000),
      });
      if (!response.ok) throw new Error(await response.text());
      take(await response.json());
    } catch (error) {
      fail(/** @type {Error} */ (error));
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

keepAsking("status.json", ASK_MS, show, () => {
  const verdict = byId("verdict");
  verdict.textContent =
    "The agent does not answer: it has ended, or is starting";
  verdict.className = "failure";
});
keepAsking("history.json", HISTORY_MS, drawDay);
