/** Charts as SVG, readable on light and dark pages. */
import type { Series } from "./bench.ts";

const WIDTH = 760;
const MARGIN = { top: 56, right: 24, bottom: 48, left: 64 };
const COLORS = ["#2f7dd1", "#e08a1e", "#3a9d5d", "#b0489c"];
const TEXT = "#808080";

/** What a chart says besides its figures. */
export interface ChartOptions {
  title: string;
  xLabel?: string;
  yLabel?: string;
}

/** Horizontal bars, one for each point, a group for each series. */
export function barChart(
  series: readonly Series[],
  options: ChartOptions,
): string {
  const names = 290;
  const row = 22;
  const parts: string[] = [];
  let y = MARGIN.top;
  for (const { name, points } of series) {
    parts.push(text(16, y + 8, name, { weight: "bold" }));
    y += 20;
    const most = Math.max(...points.map((point) => point.y));
    points.forEach((point, i) => {
      const width = (WIDTH - names - 90) * point.y / most;
      const color = i === 0 ? COLORS[0]! : TEXT;
      parts.push(
        text(names - 8, y + 12, String(point.x), { anchor: "end" }),
        `<rect x="${names}" y="${y}" width="${width.toFixed(1)}" height="${
          row - 6
        }" rx="2" fill="${color}"/>`,
        text(
          names + width + 6,
          y + 12,
          Math.round(point.y).toLocaleString("en-US"),
        ),
      );
      y += row;
    });
    y += 16;
  }
  return frame(y, options, parts);
}

/** Lines over a numeric axis, one for each series. */
export function lineChart(
  series: readonly Series[],
  options: ChartOptions,
): string {
  const height = 380;
  const points = series.flatMap((one) => one.points);
  const mostX = Math.max(...points.map(({ x }) => Number(x)), 1);
  const mostY = niceCeiling(Math.max(...points.map(({ y }) => y), 1));
  const plot = {
    width: WIDTH - MARGIN.left - MARGIN.right,
    height: height - MARGIN.top - MARGIN.bottom,
  };
  const px = (x: number) => MARGIN.left + plot.width * x / mostX;
  const py = (y: number) => MARGIN.top + plot.height * (1 - y / mostY);
  const xTicks = ticks(mostX).map((x) =>
    text(px(x), height - MARGIN.bottom + 18, x.toLocaleString("en-US"), {
      anchor: "middle",
    })
  );
  const parts = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${
      py(mostY * share)
    }" y2="${py(mostY * share)}" stroke="${TEXT}" stroke-opacity="0.25"/>`,
    text(
      MARGIN.left - 8,
      py(mostY * share) + 4,
      Math.round(mostY * share).toLocaleString("en-US"),
      { anchor: "end" },
    ),
  ]).concat(xTicks);
  series.forEach((one, i) => {
    const color = COLORS[i % COLORS.length]!;
    const line = thinned(one.points).map(({ x, y }) =>
      `${px(Number(x)).toFixed(1)},${py(y).toFixed(1)}`
    ).join(" ");
    parts.push(
      `<polyline points="${line}" fill="none" stroke="${color}" stroke-width="1.5"/>`,
      text(MARGIN.left + 130 + i * 170, 40, one.name, {
        color,
        weight: "bold",
      }),
    );
  });
  return frame(height, options, parts);
}

/** At most some hundred points: of each group the highest, so that no peak is hidden. */
function thinned(points: Series["points"]): Series["points"] {
  const group = Math.ceil(points.length / 400);
  if (group <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / group) }, (_, i) => {
    const part = points.slice(i * group, (i + 1) * group);
    return part.reduce((a, b) => b.y > a.y ? b : a);
  });
}

/** Round numbers from 0 up to a value, four to ten of them. */
function ticks(most: number): number[] {
  const step = niceCeiling(most / 8);
  return Array.from(
    { length: Math.floor(most / step) + 1 },
    (_, i) => i * step,
  );
}

/** The next 1, 2 or 5 with zeros. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value)!;
}

function text(
  x: number,
  y: number,
  words: string,
  style: { anchor?: string; weight?: string; color?: string } = {},
): string {
  const { anchor = "start", weight = "normal", color = TEXT } = style;
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${
    y.toFixed(1)
  }" text-anchor="${anchor}" font-weight="${weight}" fill="${color}">${escaped}</text>`;
}

function frame(
  height: number,
  { title, xLabel, yLabel }: ChartOptions,
  parts: string[],
): string {
  const labels = [
    text(16, 22, title, { weight: "bold" }),
    ...(xLabel
      ? [text(WIDTH / 2, height - 10, xLabel, { anchor: "middle" })]
      : []),
    ...(yLabel ? [text(16, 40, yLabel)] : []),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `font-family="sans-serif" font-size="12">\n${
      [...labels, ...parts].join("\n")
    }\n</svg>\n`;
}
