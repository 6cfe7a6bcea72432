"use strict";
// What every view uses: the data, the state in the URL, numbers as texts, tables, charts.
const D = JSON.parse(document.getElementById("data").textContent);
const DASH = "–";
const $ = (id) => document.getElementById(id);
const metricOf = (name) => D.metrics.find((m) => m.name === name);
const RUNS = [...new Set(D.builds.map((build) => build.run))];
// Of two runs a build says which one it is of.
const named = (build) => D.builds[build].label + (RUNS.length > 1 ? ` (${D.builds[build].run})` : "");

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

// Numbers, as the texts of the command line write them.
const grouped = (value, digits = 0) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
function bytesText(value) {
  if (Math.round(Math.abs(value)) < 1024) return `${value.toFixed(0)} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let [size, power] = [value / 1024, 0];
  while (Math.abs(size).toFixed(1) >= 1024 && power < 4) [size, power] = [size / 1024, power + 1];
  return `${grouped(size, 1)} ${units[power]}`;
}
function secondsText(value) {
  if (value >= 120) return `${grouped(Math.floor(value / 60))} min ${Math.round(value % 60)} s`;
  if (value >= 0.9995) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  if (value >= 0.0009995) return `${(value * 1e3).toFixed(value < 0.1 ? 1 : 0)} ms`;
  return value ? `${(value * 1e6).toFixed(0)} µs` : "0 s";
}
const sizeText = (value) => bytesText(value).replace(".0 ", " ");
const percent = (value) => `${grouped(100 * value, Math.abs(value) < 0.1 ? 1 : 0)} %`;
const TEXTS = {
  nodes: (v) => grouped(v, Number.isInteger(v) ? 0 : 2), count: (v) => grouped(v), bytes: bytesText, seconds: secondsText,
  size: sizeText, share: percent, times: (v) => `${grouped(v, 1)} ×`, build: (v) => named(v),
  change: (v) => `${v > 0 ? "+" : ""}${percent(v)}`, metric: (v) => metricOf(v)?.title ?? v, text: String, lines: String,
};
const text = (value, unit) => (value == null ? DASH : (TEXTS[unit] ?? String)(value));
const isNumber = (unit) => !["text", "build", "metric", "lines"].includes(unit);

// The state: what is not the default stands in the URL's fragment, so that a link shows the same.
const state = new URLSearchParams(location.hash.slice(1));
const get = (name, other = "") => state.get(name) ?? other;
function set(changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value == null || value === "") state.delete(name);
    else state.set(name, value);
  }
  history.replaceState(null, "", `#${state}`);
  show();
}
window.addEventListener("hashchange", () => {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (`${wanted}` === `${state}`) return;
  [...state.keys()].forEach((name) => state.delete(name));
  wanted.forEach((value, name) => state.set(name, value));
  show();
});

const isDark = () => get("theme", matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") === "dark";
function dress() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  $("theme").textContent = isDark() ? "light" : "dark";
  $("theme").setAttribute("aria-label", `switch to the ${$("theme").textContent} theme`);
}
$("theme").addEventListener("click", () => set({ theme: isDark() ? "light" : "dark" }));

// Okabe and Ito's palette for all kinds of colour vision, without its yellow; lighter on dark.
const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#777777"];
const SHAPES = ["circle", "square", "triangle-up", "cross", "triangle-down", "triangle-right", "diamond"];
const ROLE_COLOURS = {
  "weights": "#777777", "optimizer state": "#7B5EA7", "constants": "#a5a5a5", "fed inputs": "#E8D92F",
  "forward tensors kept for backward": "#0072B2", "loop bookkeeping": "#CC79A7", "activation gradients": "#56B4E9",
  "weight gradients": "#D55E00", "temporaries": "#009E73", "kernel scratch": "#8C510A", "unclassified": "#3d3d3d",
  "allocator rounding": "#cfcfcf",
};
// By name, so that charts follow the theme, and are dark on white when they are printed.
const css = (name) => `var(${name})`;
// The colour of a build: by its place in its family, the same in every view and run.
function placeOf(build) {
  const { family, label } = D.builds[build];
  return [...new Set(D.builds.filter((b) => b.family === family).map((b) => b.label))].indexOf(label);
}
const colourOf = (build) => PALETTE[placeOf(build) % PALETTE.length];

// Filters that several views share: family, the parameters of a grid, schedule.
function chosenBuilds() {
  const filters = [...state].filter(([name]) => name.startsWith("p."));
  return D.builds.map((_, number) => number).filter((number) => {
    const build = D.builds[number];
    return (family() === "*" || build.family === family()) && (!get("schedule") || build.schedule === get("schedule"))
      && filters.every(([name, value]) => build.values[name.slice(2)] === value);
  });
}
const families = () => [...new Set(D.builds.map((build) => build.family))];
const family = () => get("family", D.answer.family ?? families()[0] ?? "*");

function choice(name, title, options, current, other = {}) {
  const select = node("select", { "aria-label": title, onchange: (event) => set({ [name]: event.target.value, ...other }) },
    options.map(([value, shown]) => node("option", { value, selected: value === current }, shown)));
  return node("label", {}, title, select);
}
function buildControls() {
  const controls = [];
  if (families().length > 1)
    controls.push(choice("family", "family", [...families().map((one) => [one, one]), ["*", "all"]], family()));
  for (const name of new Set(D.builds.flatMap((build) => Object.keys(build.values)))) {
    const values = [...new Set(D.builds.map((build) => build.values[name]).filter((value) => value != null))];
    if (values.length > 1)
      controls.push(choice(`p.${name}`, name, [["", "any"], ...values.map((one) => [one, one])], get(`p.${name}`)));
  }
  const schedules = [...new Set(D.builds.map((build) => build.schedule))];
  if (schedules.length > 1)
    controls.push(choice("schedule", "schedule", [["", "any"], ...schedules.map((one) => [one, one])], get("schedule")));
  return controls;
}
const scaleControl = (name, title, current) => choice(name, title, [["log", "logarithmic"], ["linear", "linear"]], current);

// Tables: columns of raw values become rows that can be sorted, filtered and saved.
const column = (table, name) => table.columns.find((one) => one.name === name)?.values ?? [];
function rowsOf(table) {
  const count = table.columns[0]?.values.length ?? 0;
  return Array.from({ length: count }, (_, at) => {
    const row = { at };
    for (const one of table.columns) row[one.name] = one.values[at];
    return row;
  });
}
// A word of a command, as a shell takes it: names are others' texts.
const shellWord = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);
function csvOf(columns, rows) {
  // What a spreadsheet would run as a formula is text; the rule is that of reports/tables/spreadsheet.py.
  const formula = /^(?:[\t\r\n]|[\s\x00-\x20\u200b-\u200f\u2060\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20])/;
  const cell = (value, unit) => {
    if (value == null) return "";
    const word = unit === "build" ? named(value) : String(value);
    const harmless = typeof value === "number" && unit !== "build" ? word : `${formula.test(word) ? "'" : ""}${word}`.replace(/\r\n?/g, "\n");
    return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  };
  return [columns.map((one) => cell(one.name, "text")), ...rows.map((row) => columns.map((one) => cell(row[one.name], one.unit)))]
    .map((cells) => cells.join(",")).join("\n") + "\n";
}
function save(name, content) {
  const link = node("a", { href: URL.createObjectURL(new Blob([content], { type: "text/csv" })), download: `${name}.csv` });
  link.click();
  URL.revokeObjectURL(link.href);
}
const MOST_ROWS = 100;
// open: what a button in each row does.
function tableOf(table, { rows = rowsOf(table), open = null } = {}) {
  const columns = table.columns.filter((one) => one.title);
  let [sorted, falling, all] = [null, false, false];
  const filter = node("input", { type: "search", placeholder: "filter", "aria-label": `filter ${table.title}`, oninput: fill });
  const count = node("span", { class: "soft" });
  const body = node("tbody");
  const heads = columns.map((one) => node("th", { scope: "col", class: isNumber(one.unit) && "n" },
    node("button", { type: "button", onclick: () => { [falling, sorted] = [sorted === one && !falling, one]; fill(); } }, one.title)));
  const more = node("button", { type: "button", onclick: () => { all = true; fill(); } }, "show all");
  function shownRows() {
    const word = filter.value.toLowerCase();
    const found = rows.filter((row) => !word || columns.some((one) => text(row[one.name], one.unit).toLowerCase().includes(word)));
    if (!sorted) return found;
    const key = (row) => (sorted.unit === "build" ? named(row.build) : row[sorted.name]);
    return [...found].sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      if (one == null || other == null) return (one == null) - (other == null);
      return (one < other ? -1 : one > other ? 1 : a.at - b.at) * (falling ? -1 : 1);
    });
  }
  function fill() {
    const found = shownRows();
    heads.forEach((head, at) =>
      head.setAttribute("aria-sort", columns[at] !== sorted ? "none" : falling ? "descending" : "ascending"));
    count.textContent = found.length === rows.length ? `${rows.length} rows` : `${found.length} of ${rows.length} rows`;
    more.hidden = all || found.length <= MOST_ROWS;
    body.replaceChildren(...found.slice(0, all ? undefined : MOST_ROWS).map((row) => node("tr",
      { class: row.chosen ? "chosen" : ["ok", "skipped", undefined].includes(row.status) || "last_ok" in row ? null : "failed" },
      open && node("td", { class: "tools" }, node("button", { type: "button", onclick: () => open(row) }, "memory")),
      columns.map((one) => cellOf(row, one)))));
  }
  fill();
  return node("div", { class: "table" },
    node("div", { class: "controls tools" }, node("strong", {}, table.title), filter, count,
      node("button", { type: "button", onclick: () => save(table.name, csvOf(columns, shownRows())) }, "CSV"), more),
    node("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": table.title },
      node("table", {}, node("thead", {}, node("tr", {}, open && node("th", { class: "tools" }), heads)), body)),
    table.note && node("p", { class: "soft" }, table.note));
}
function cellOf(row, one) {
  const value = text(row[one.name], one.unit);
  if (one.unit === "lines") return node("td", {}, node("pre", {}, value));
  const key = one.unit === "build" && node("span", { class: "key", style: `background:${colourOf(row.build)}` });
  const style = isNumber(one.unit) ? "n" : one.unit === "build" ? "name" : value.length > 120 ? "longest" : value.length > 28 ? "long" : null;
  return node("td", { class: style }, key || null, value);
}

// Charts: a specification, drawn as SVG in the page's own colours.
function look(longest) {
  const [ink, soft, line] = ["--ink", "--soft", "--line"].map(css);
  return {
    background: null, font: "system-ui, sans-serif", view: { stroke: null },
    axis: { labelColor: soft, titleColor: soft, gridColor: line, domainColor: soft, tickColor: soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    legend: { labelColor: ink, titleColor: soft, labelFontSize: 12, labelLimit: 420, symbolStrokeWidth: 2, symbolOpacity: 1, orient: "top", columns: isNarrow() ? 1 : longest > 28 ? 2 : 4, title: null },
    title: { color: ink, anchor: "start", fontSize: 13 }, rule: { color: soft }, text: { color: ink },
  };
}
const isNarrow = () => $("view").clientWidth < 600;
// Labels of an axis, in the unit of a metric.
const inUnit = (value, unit) => text(value, unit === "bytes" ? "size" : unit).replace(/\.(\d*?)0+ /, (_, digits) => (digits ? `.${digits} ` : " "));
const axisOf = (unit, title) => ({ title, labelExpr: `inUnit(datum.value, '${unit}')`, labelOverlap: true, labelSeparation: 6, tickCount: isNarrow() ? 4 : 7 });
// Round ticks: bytes at powers of two, a logarithmic axis of others at 1, 2 and 5 times powers of ten.
function bytesTicks(values, log) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (!log) {
    const step = 2 ** Math.ceil(Math.log2(high / (isNarrow() ? 4 : 7) || 1));
    return Array.from({ length: Math.floor(high / step) + 1 }, (_, at) => at * step);
  }
  const [first, last] = [Math.floor(Math.log2(low)), Math.ceil(Math.log2(high))];
  const every = Math.max(1, Math.ceil((last - first) / 8));
  return Array.from({ length: last - first + 1 }, (_, at) => 2 ** (first + at)).filter((_, at) => at % every === 0);
}
function ticksOf(unit, values, log) {
  if (unit === "bytes") return bytesTicks(values, log);
  if (!log) return undefined;
  const [first, last] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  return Array.from({ length: last - first + 1 }, (_, at) => (last - first > 4 ? [1] : [1, 2, 5]).map((digit) => digit * 10 ** (first + at))).flat();
}

const tip = $("tip");
function tell(words, x, y) {
  tip.hidden = !words;
  if (!words) return;
  tip.textContent = words;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18}px`;
}
// Draws into a new element; on: {click: (datum) => ..., signals: {name: (value) => ...}, names: of the legend}.
function chart(spec, alt, on = {}) {
  const place = node("div", { class: "chart" });
  $("view").append(place);
  const whole = { width: Math.max(260, place.clientWidth - 4), autosize: { type: "fit-x", contains: "padding" }, description: alt, ...spec };
  const tooltip = (_, event, item, value) => tell(value == null ? "" : String(value), event.clientX, event.clientY);
  place.drawn = vegaEmbed(place, whole, { mode: "vega-lite", renderer: "svg", actions: false, config: look(Math.max(0, ...(on.names ?? []).map((name) => name.length))), tooltip, expressionFunctions: { inUnit }, logLevel: 1 })
    .then(({ view }) => {
      if (on.click) view.addEventListener("click", (_, item) => item?.datum && on.click(item.datum));
      for (const [name, run] of Object.entries(on.signals ?? {})) view.addSignalListener(name, (_, value) => run(value));
      place.dataset.ready = "yes";
      return view;
    });
  return place;
}
