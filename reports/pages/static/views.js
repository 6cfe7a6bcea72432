"use strict";
// The views: one for each question. Each makes its controls, its chart and its tables again.
const put = (...children) => $("view").append(...children.flat().filter((child) => child != null));
const controls = (...children) => put(node("div", { class: "controls" }, ...children));
const say = (...words) => put(node("p", { class: "soft" }, ...words));
const command = (words) => node("code", {}, words);
const nameOf = (builds) => {
  const labels = [...new Set(builds.map((build) => D.builds[build].label))];
  return labels.length > 4 ? `${labels.slice(0, 3).join(", ")} and ${labels.length - 3} more` : labels.join(", ");
};
const axisName = () => [...new Set(chosenBuilds().map((build) => D.builds[build].axis))].join(" or ") || "steps";
const count = (table) => table.columns[0]?.values.length ?? 0;
const brief = (long, short) => (isNarrow() ? short : long);
const scaleOf = (names, range) => ({ domain: names, range });

// More than so many are not told apart in one picture.
const [MOST_BARS, MOST_NAMES] = [60, 24];
// A budget that is missed by more than this is drawn up to here.
const MOST_USED = 2;
function walls() {
  const builds = chosenBuilds();
  const under = (row) => `${sizeText(row.limit)} of ${row.kind} memory`;
  const limits = [...new Set(rowsOf(D.walls).map(under))];
  const limit = get("limit", limits[0]);
  const rows = rowsOf(D.walls).filter((row) => builds.includes(row.build) && under(row) === limit);
  const log = get("bar", "linear");
  controls(buildControls(), limits.length > 1 && choice("limit", "limit", limits.map((one) => [one, one]), limit),
    scaleControl("bar", axisName(), log));
  if (!rows.length) return say("No wall was searched for these. ", command("stepwall profile --wall-limit 16MiB"), " finds them.");
  rows.sort((a, b) => (b.last_ok ?? 0) - (a.last_ok ?? 0));
  const data = rows.slice(0, MOST_BARS).map((row) => ({
    ...row, name: named(row.build), colour: colourOf(row.build), end: row.last_ok ?? 0, far: Math.max(row.last_ok ?? 0, row.predicted ?? 0),
    said: row.last_ok == null ? `before ${text(row.first_oom, "count")}${row.status === "replayed" ? " (replayed)" : ""}` : `${text(row.last_ok, "count")}${row.status === "exact" ? "" : ` (${row.status})`}`,
    tip: `${named(row.build)} under ${sizeText(row.limit)} of ${row.kind} memory\n${row.status === "replayed" ? "as replayed, not run, " : ""}survives ${text(row.last_ok, "count")}, runs out at ${text(row.first_oom, "count")}: ${row.status}`
      + `\npredicted ${text(row.predicted, "count")}${row.miss ? `: ${row.miss}` : ""}\npeak ${text(row.peak, "bytes")}${row.biggest ? `, ${row.biggest}` : ""}`
      + (stepOfWall(row.at) ? "\nclick: who holds it" : ""),
  }));
  const ends = data.map((row) => row.end).filter(Boolean);
  const most = Math.max(...data.map((row) => row.far), 1);
  const x = (field) => ({ field, type: "quantitative", title: brief(`${axisName()} that survive under ${limit}`, axisName()),
    scale: { type: log, domain: [log === "log" ? Math.min(1, ...ends) : 0, most * (log === "log" ? 2 : 1.12)] }, axis: axisOf("count") });
  const y = { field: "name", type: "nominal", sort: null, title: null, axis: { labelLimit: isNarrow() ? 110 : 260 } };
  chart({
    height: 26 * data.length, data: { values: data },
    encoding: { y, tooltip: { field: "tip" } },
    layer: [
      { mark: { type: "bar", cursor: "pointer" }, encoding: { x: x("end"), ...(log === "log" && { x2: { datum: Math.min(1, ...ends) } }), color: { field: "colour", type: "nominal", scale: null } } },
      { mark: { type: "tick", thickness: 2, size: 22, color: css("--ink") }, transform: [{ filter: "datum.predicted != null" }], encoding: { x: x("predicted") } },
      { mark: { type: "text", align: "left", dx: 6 }, encoding: { x: x("far"), text: { field: "said" } } },
    ],
  }, `The most ${axisName()} that survive under ${limit}: ${data.map((row) => `${row.name} ${row.said}`).slice(0, 12).join(", ")}.`,
  { click: openWall });
  if (rows.length > MOST_BARS) say(`The ${MOST_BARS} of ${rows.length} that go furthest are drawn; the table has all.`);
  say("A bar ends at the largest length that survived; the next one was run too and ran out of memory. A black tick is the prediction made before.");
  frontier(rows, limit, log);
  const least = D.builds[rows.at(-1).build];
  if (!count(D.fits)) say("Under another limit, such as 16 GiB, ", command(`stepwall predict ${shellWord(least.scenario)} --limit 16GiB`), " predicts the wall from short runs, without such a card.");
  put(tableOf(D.answers, { rows: rowsOf(D.answers).filter((row) => builds.includes(row.build)).sort((a, b) => (b.last_ok ?? 0) - (a.last_ok ?? 0)) }));
  put(node("details", {}, node("summary", {}, "How each wall was found: prediction, price, every run"),
    tableOf(D.walls, { rows, open: openWall }),
    tableOf({ ...D.probes, title: "Runs of these searches", columns: [{ name: "build", title: "scenario", unit: "build" }, ...D.probes.columns.filter((one) => one.name !== "wall")] },
      { rows: rowsOf(D.probes).filter((row) => rows.some((wall) => wall.at === row.wall)).map((row) => ({ ...row, build: D.walls.columns[0].values[row.wall] })) })));
}
// The walls of a grid over its parameter: the largest length for each value.
function frontier(walls, limit, log) {
  const wallOf = new Map(walls.map((row) => [row.at, row]));
  const points = rowsOf(D.frontiers).filter((row) => wallOf.has(row.wall)).map((row) => {
    const wall = wallOf.get(row.wall);
    return { ...row, line: RUNS.length > 1 ? `${row.line} (${D.builds[wall.build].run})` : row.line, end: wall.last_ok ?? wall.first_oom, far: wall.status === "band" ? wall.first_oom : null, status: wall.status };
  });
  for (const parameter of new Set(points.map((row) => row.parameter))) {
    const data = points.filter((row) => row.parameter === parameter).map((row) => ({ ...row, tip: `${row.line}, ${parameter} ${row.value} under ${limit}\n${text(row.end, "count")} ${axisName()}: ${row.status}` }));
    const lines = [...new Set(data.map((row) => row.line))];
    put(node("h3", {}, `The frontier over ${parameter}`));
    chart({ height: isNarrow() ? 200 : 260, data: { values: data },
      encoding: { x: { field: "value", type: "ordinal", sort: null, title: parameter, axis: { labelAngle: 0 } },
        y: { field: "end", type: "quantitative", title: brief(`${axisName()} that survive under ${limit}`, axisName()), scale: { type: log, zero: log !== "log", nice: true }, axis: axisOf("count") },
        color: { field: "line", type: "nominal", sort: null, title: null, scale: scaleOf(lines, lines.map((_, at) => PALETTE[at % PALETTE.length])), ...(lines.length < 2 && { legend: null }) }, tooltip: { field: "tip" } },
      layer: [{ mark: { type: "line" } }, { mark: { type: "point", filled: true, size: 60 } },
        { mark: { type: "rule", strokeWidth: 5, opacity: 0.4 }, transform: [{ filter: "datum.far != null" }], encoding: { y2: { field: "far" } } }, { mark: { type: "text", align: "left", dx: 8, dy: -8 }, encoding: { text: { field: "end", format: "," } } }],
    }, `The most ${axisName()} that survive under ${limit}, by ${parameter}: ${data.map((row) => `${row.line} ${row.value}: ${row.end}`).slice(0, 12).join(", ")}.`, { names: lines });
  }
  if (points.length) say(`Every point is a wall that was searched; between the points nothing was run.${points.some((row) => wallOf.get(row.wall).status === "band") ? " A pale bar is a band, in which outcomes varied." : ""}`);
}
// On cards that nobody has here: what short runs predict.
function fits() {
  const limits = [...new Set(column(D.fits, "limit"))];
  const limit = Number(get("card", limits.includes(16 * 2 ** 30) ? 16 * 2 ** 30 : limits[0]));
  controls(choice("card", "device memory", limits.map((one) => [String(one), sizeText(one)]), String(limit)), buildControls());
  const rows = rowsOf(D.fits).filter((row) => chosenBuilds().includes(row.build) && row.limit === limit).sort((a, b) => (b.steps ?? 0) - (a.steps ?? 0));
  const data = rows.filter((row) => row.steps != null).map((row) => ({ ...row, name: named(row.build), colour: colourOf(row.build), far: row.high ?? row.steps,
    said: `${text(row.steps, "count")}${row.high == null ? " or more" : ""}`, tip: `${named(row.build)} in ${sizeText(limit)}: predicted, not run\n${text(row.low, "count")} to ${row.high == null ? "more" : text(row.high, "count")}\n${row.how}` }));
  if (data.length) {
    const x = (field) => ({ field, type: "quantitative", title: brief(`${axisName()} predicted to fit in ${sizeText(limit)}`, axisName()), axis: axisOf("count"), scale: { domain: [0, 1.2 * Math.max(...data.map((row) => row.far))] } });
    chart({ height: 26 * data.length, data: { values: data },
      encoding: { y: { field: "name", type: "nominal", sort: null, title: null, axis: { labelLimit: isNarrow() ? 110 : 260 } }, tooltip: { field: "tip" } },
      layer: [
        { mark: { type: "bar", opacity: 0.55 }, encoding: { x: x("steps"), color: { field: "colour", type: "nominal", scale: null } } },
        { mark: { type: "rule", strokeWidth: 2, color: css("--ink") }, transform: [{ filter: "datum.high != null" }], encoding: { x: x("low"), x2: { field: "high" } } },
        { mark: { type: "text", align: "left", dx: 8 }, encoding: { x: x("far"), text: { field: "said" } } },
      ] }, `Predicted to fit in ${sizeText(limit)}: ${data.map((row) => `${row.name} ${row.said}`).slice(0, 12).join(", ")}.`);
  }
  put(tableOf({ ...D.fits, title: `Predicted to fit in ${sizeText(limit)}` }, { rows }));
  const every = rowsOf(D.fits).filter((row) => chosenBuilds().includes(row.build));
  if (limits.length > 1) put(node("details", {}, node("summary", {}, `All ${limits.length} sizes of device memory`), tableOf({ ...D.fits, note: "" }, { rows: every })));
}
const stepOfWall = (wall) => D.steps.find((step) => step.wall === wall);
const openWall = (row) => stepOfWall(row.at) && set({ view: "memory", step: D.steps.indexOf(stepOfWall(row.at)), at: "", build: "", n: "" });

function growth() {
  const metric = metricOf(get("metric", "peak")) ?? D.metrics[0];
  if (!metric) return say("Nothing was measured.");
  const builds = chosenBuilds();
  const [xScale, yScale] = [get("x", "log"), get("y", "log")];
  controls(choice("metric", "metric", D.metrics.map((one) => [one.name, one.title]), metric.name), buildControls(),
    scaleControl("x", axisName(), xScale), scaleControl("y", metric.title, yScale));
  const groups = (D.together[metric.name] ?? []).map((group) => group.filter((build) => builds.includes(build))).filter((group) => group.length);
  const nameOfGroup = (group) => nameOf(group) + (RUNS.length > 1 ? ` (${D.builds[group[0]].run})` : "");
  const isWall = (row) => row.kind === metric.limit && row.peak && row.last_ok && builds.includes(row.build);
  const marks = metric.limit ? rowsOf(D.walls).filter(isWall) : [];
  for (const row of marks) if (!groups.some((group) => group.includes(row.build))) groups.push([row.build]);
  const lineOf = (build) => D.lines.find((line) => line.build === build && line.metric === metric.name);
  const all = rowsOf(D.points).map((row) => ({ ...row, value: row[metric.name] }));
  const [curves, joined, points] = [[], [], []];
  for (const group of groups) {
    const [name, line] = [nameOfGroup(group), lineOf(group[0])];
    const steps = line?.grid != null ? D.grids[line.grid] : [];
    if (!steps.length) joined.push(...medians(all.filter((one) => one.value != null && one.build === group[0])).map((row) => ({ ...row, name })));
    steps.forEach((at, i) => curves.push({ name, steps: at, value: line.value[i], low: line.low[i] ?? null, high: line.high[i] ?? null }));
    for (const row of all.filter((one) => one.value != null && group.includes(one.build))) {
      const i = steps.indexOf(row.steps);
      const law = line?.law ? `law ${line.law}${i < 0 ? "" : `: ${text(line.value[i], metric.unit)}`}` : line?.reason;
      const ends = i < 0 || !line.low.length ? "" : ` (95 %: ${text(line.low[i], metric.unit)} to ${text(line.high[i], metric.unit)})`;
      points.push({ name, steps: row.steps, value: row.value, build: row.build, at: row.at,
        tip: `${named(row.build)} at ${text(row.steps, "count")} ${D.builds[row.build].axis}\n${metric.title}: ${text(row.value, metric.unit)}\n${law ?? ""}${ends}${line?.per_step ? `\none more ${D.builds[row.build].one}: ${line.per_step}` : ""}${group.length > 1 ? `\non one line: ${nameOf(group)}` : ""}\nclick: who holds the memory` });
    }
  }
  const values = points.map((point) => point.value);
  const log = yScale === "log" && values.every((value) => value > 0) ? "log" : "linear";
  const failed = all.filter((row) => builds.includes(row.build) && !["ok", "skipped"].includes(row.status)).map((row) => ({
    name: nameOfGroup(groups.find((group) => group.includes(row.build)) ?? [row.build]), steps: row.steps, value: Math.max(...values, 1),
    tip: `${named(row.build)} at ${text(row.steps, "count")}: ${row.ending}` }));
  const wallMarks = marks.map((row) => ({ name: nameOfGroup(groups.find((group) => group.includes(row.build)) ?? [row.build]), steps: row.last_ok, value: row.peak, at: row.at, wall: true,
    tip: `wall of ${named(row.build)} under ${sizeText(row.limit)}\nsurvives ${text(row.last_ok, "count")}: peak ${text(row.peak, "bytes")}\nruns out at ${text(row.first_oom, "count")}\nclick: who holds the memory` }));
  const limits = [...new Set(marks.map((row) => row.limit))].map((value) => ({ value, said: `limit ${sizeText(value)}` }));
  const names = groups.map(nameOfGroup);
  if (!points.length && !wallMarks.length) return say(`No ${metric.title} was measured for these.`);
  const heights = [...values, ...wallMarks.map((row) => row.value), ...limits.map((row) => row.value)];
  const domain = log === "log" ? [Math.min(...heights) / 1.25, Math.max(...heights) * 1.25] : [Math.min(0, ...heights), 1.06 * Math.max(...heights, 0) || 1];
  const within = (value) => Math.min(domain[1], Math.max(domain[0], value));
  const second = (group) => RUNS.indexOf(D.builds[group[0]].run) > 0;
  const encoding = {
    x: { field: "steps", type: "quantitative", title: axisName() + (xScale === "log" ? " (logarithmic)" : ""), scale: { type: xScale, nice: false, padding: 12, ...(xScale === "log" && { base: 2 }) },
      axis: { ...axisOf("count"), values: xScale === "log" ? powers([...points, ...wallMarks].map((row) => row.steps)) : undefined } },
    y: { field: "value", type: "quantitative", title: metric.title + (log === "log" ? " (logarithmic)" : ""), scale: { type: log, nice: false, domain },
      axis: { ...axisOf(metric.unit), values: ticksOf(metric.unit, heights, log === "log") } },
    color: { field: "name", type: "nominal", scale: scaleOf(names, groups.map((group) => colourOf(group[0]))), sort: null, ...(names.length > MOST_NAMES && { legend: null }) },
    opacity: { condition: { param: "only", value: 1 }, value: 0.12 },
  };
  const shape = { field: "name", type: "nominal", scale: scaleOf(names, groups.map((group) => SHAPES[placeOf(group[0]) % SHAPES.length])), sort: null, ...(names.length > MOST_NAMES && { legend: null }) };
  const dash = RUNS.length > 1 && { strokeDash: { field: "name", type: "nominal", scale: scaleOf(names, groups.map((group) => (second(group) ? [5, 3] : [1, 0]))), sort: null } };
  const drawn = chart({
    height: isNarrow() ? 300 : 400, encoding,
    layer: [
      { data: { values: curves.filter((row) => row.high != null).map((row) => ({ ...row, low: within(row.low), high: within(row.high) })) }, mark: { type: "area", opacity: 0.16, clip: true },
        encoding: { y: { ...encoding.y, field: "low" }, y2: { field: "high" }, opacity: { condition: { param: "only", value: 0.16 }, value: 0.02 } } },
      { data: { values: curves }, mark: { type: "line", strokeWidth: 1.7, clip: true }, encoding: { ...dash } },
      { data: { values: joined }, mark: { type: "line", strokeWidth: 1, strokeDash: [1, 3] } },
      { data: { values: points }, mark: { type: "point", filled: true, size: 70, cursor: "pointer" },
        params: [{ name: "only", select: { type: "point", fields: ["name"] }, ...(names.length <= MOST_NAMES && { bind: "legend" }) },
          { name: "brush", select: { type: "interval", encodings: ["x"] } }],
        encoding: { shape, tooltip: { field: "tip" } } },
      { data: { values: failed }, mark: { type: "text", text: "✕", fontSize: 16, fontWeight: "bold" }, encoding: { tooltip: { field: "tip" } } },
      { data: { values: wallMarks }, mark: { type: "point", shape: "diamond", size: 170, filled: true, stroke: css("--ink"), strokeWidth: 1.2, cursor: "pointer" }, encoding: { tooltip: { field: "tip" } } },
      { data: { values: limits }, mark: { type: "rule", strokeDash: [5, 3] }, encoding: { x: null, color: { value: css("--soft") }, opacity: { value: 1 } } },
      { data: { values: limits }, mark: { type: "text", align: "left", dy: -6, dx: 4 }, encoding: { x: { value: 0 }, text: { field: "said" }, color: { value: css("--soft") }, opacity: { value: 1 } } },
    ],
    }, `${metric.title} against ${axisName()}: ${groups.map((group) => { const own = points.filter((row) => group.includes(row.build)); return own.length ? `${nameOf(group)} from ${text(own[0].value, metric.unit)} to ${text(own.at(-1).value, metric.unit)}` : nameOf(group); }).slice(0, 10).join("; ")}.`,
  { click: (row) => (row.wall ? openWall(row) : row.build != null && openPoint(row)), signals: { brush: (value) => fill(value?.steps) }, names });
  drawn.dataset.points = points.length;
  say(`Marks were measured, lines are fitted laws, dotted ones only join points, bands hold 95 % of single measurements${wallMarks.length ? ", large diamonds are walls" : ""}. Click a name to see it alone, a mark for who holds its memory; drag over ${axisName()} to narrow the table.`);
  if (metric.name === "nodes") (D.notes ?? []).forEach((words) => say(words));
  const place = node("div");
  put(place);
  function fill(range) {
    const rows = rowsOf(D.points).filter((row) => builds.includes(row.build) && (!range || (row.steps >= range[0] && row.steps <= range[1])));
    const title = range ? `Measurements from ${text(Math.ceil(range[0]), "count")} to ${text(Math.floor(range[1]), "count")} ${axisName()}` : "Measurements";
    place.replaceChildren(tableOf({ ...D.points, title }, { rows, open: openPoint }));
  }
  fill();
  put(node("details", {}, node("summary", {}, "Laws of growth"), tableOf(D.laws, { rows: rowsOf(D.laws).filter((row) => builds.includes(row.build)) })));
}
// Points without a law are joined, so that the eye can follow them.
function medians(rows) {
  return [...new Set(rows.map((row) => row.steps))].sort((a, b) => a - b).map((steps) => {
    const values = rows.filter((row) => row.steps === steps).map((row) => row.value).sort((a, b) => a - b);
    return { steps, value: values[values.length >> 1] };
  });
}
function powers(steps) {
  const [first, last] = [Math.floor(Math.log2(Math.min(...steps))), Math.ceil(Math.log2(Math.max(...steps)))];
  return Array.from({ length: last - first + 1 }, (_, at) => 2 ** (first + at));
}
const openPoint = (row) => set({ view: "memory", build: row.build, n: row.steps, step: "", at: "" });

const undiffed = (values) => { let sum = 0; return values.map((value) => (sum += value)); };
const stepTitle = (step) => `${named(step.build)} at ${text(step.steps, "count")} ${D.builds[step.build].axis}`
  + (step.wall == null ? "" : `, its wall under ${sizeText(column(D.walls, "limit")[step.wall])}`);
// The explained step that is asked for, or the nearest of the same build, or none.
function chosenStep() {
  if (get("step") !== "") return D.steps[Number(get("step"))];
  const wanted = Number(get("n"));
  const own = get("build") === "" ? D.steps.filter((step) => chosenBuilds().includes(step.build)) : D.steps.filter((step) => step.build === Number(get("build")));
  // Of those that nobody asked for: the wall that comes first, else the longest point.
  const ends = own.filter((step) => step.wall != null).sort((a, b) => a.steps - b.steps);
  if (get("build") === "") return ends[0] ?? own.sort((a, b) => b.steps - a.steps)[0] ?? D.steps[0];
  return own.sort((a, b) => Math.abs(Math.log(a.steps / wanted)) - Math.abs(Math.log(b.steps / wanted)))[0];
}
function memory() {
  controls(buildControls());
  const step = chosenStep();
  const [build, wanted] = [get("build") === "" ? null : D.builds[Number(get("build"))], Number(get("n"))];
  if (build && (!step || step.steps !== wanted))
    say(`The allocations of ${build.label} at ${text(wanted, "count")} ${build.axis} were not recorded${D.steps.length < 300 ? "" : ", or are left out of so large a page"}`,
      step ? "; the nearest recorded length of it is shown. " : ". ", "To record this one: ",
      command(`stepwall explain ${shellWord(build.scenario)} --steps ${wanted}`), "; of every point: ", command("stepwall profile --trace"), ".");
  if (step) oneStep(step);
  overview();
  overLengths(step);
}
function oneStep(step) {
  const options = D.steps.map((one, at) => [String(at), stepTitle(one)]);
  controls(choice("step", brief("one training step of", "step of"), options, String(D.steps.indexOf(step)), { build: "", n: "", at: "" }));
  const events = undiffed(step.event);
  const bytes = Object.entries(step.bytes).map(([role, values]) => [role, undiffed(values)]);
  const peak = events.indexOf(step.peak);
  const rows = bytes.flatMap(([role, values], order) => values.map((value, i) => ({ role, order, event: events[i], value })));
  const roles = bytes.map(([role]) => role);
  const share = (at) => percent(at / (events.at(-1) || 1));
  const place = node("div");
  const slider = node("input", { type: "range", min: 0, max: events.length - 1, value: get("at", String(peak)), "aria-label": "moment of the step",
    oninput: () => fill(Number(slider.value)), onchange: () => { state.set("at", slider.value); history.replaceState(null, "", `#${state}`); } });
  const x = { field: "event", type: "quantitative", title: brief("allocations and releases of one training step, in order", "moments of the step"), scale: { nice: false, domain: [0, events.at(-1)] }, axis: { tickCount: 6 } };
  const total = events.map((_, i) => bytes.reduce((sum, [, values]) => sum + values[i], 0));
  const drawn = chart({
    height: 260, data: { values: rows }, params: [{ name: "cursor", value: { event: step.peak } }],
    layer: [
      { mark: { type: "area", interpolate: "step-after" }, encoding: { x, y: { field: "value", type: "quantitative", stack: true, title: "held", axis: { ...axisOf("bytes"), values: bytesTicks(total, false) } },
        color: { field: "role", type: "nominal", sort: null, scale: scaleOf(roles, roles.map((role) => ROLE_COLOURS[role])) }, order: { field: "order" } } },
      { data: { values: [{ event: step.backward, said: "backward begins" }].filter((row) => row.event < events.at(-1)) }, layer: [{ mark: { type: "rule", strokeDash: [4, 3] }, encoding: { x } }, { mark: { type: "text", align: "left", dx: 4, baseline: "top" }, encoding: { x, y: { value: 0 }, text: { field: "said" } } }] },
      { data: { values: [{}] }, mark: { type: "rule", strokeWidth: 1.5, color: css("--ink") }, transform: [{ calculate: "cursor.event", as: "event" }], encoding: { x } },
      { params: [{ name: "near", select: { type: "point", on: "pointermove", nearest: true, fields: ["event"], clear: false } }], data: { values: events.map((event, i) => ({ event, value: total[i], i })) },
        mark: { type: "point", opacity: 0, size: 300 }, encoding: { x, y: { field: "value", type: "quantitative" } } },
    ],
  }, `Memory over one training step of ${stepTitle(step)}: peak ${bytesText(step.peak_bytes)} in ${step.part}. ${step.story[0] ?? ""}`,
  { signals: { near: (value) => { const at = events.indexOf(value?.event?.[0]); if (at >= 0) { slider.value = at; fill(at); } } } });
  put(slider, place);
  function fill(at) {
    drawn.drawn.then((view) => view.signal("cursor", { event: events[at] }).runAsync());
    const found = [];
    const largest = step.holders?.largest[at] ?? [];
    for (let i = 0; i < largest.length; i += 2) found.push({ op: step.holders.names[largest[i]], role: step.holders.roles[largest[i]], bytes: largest[i + 1] });
    const told = found.length ? found : bytes.map(([role, values]) => ({ role, bytes: values[at] })).filter((row) => row.bytes).sort((a, b) => b.bytes - a.bytes);
    const table = { name: "holders", title: `${bytesText(total[at])} after ${share(events[at])} of the step${at === peak ? ", the peak" : ""}: ${found.length ? "the largest holders" : "by role"}`, note: "",
      columns: [...(found.length ? [{ name: "op", title: "operation", unit: "text" }] : []), { name: "role", title: "held for", unit: "text" }, { name: "bytes", title: "bytes", unit: "bytes" }, { name: "share", title: "share", unit: "share" }] };
    place.replaceChildren(tableOf(table, { rows: told.map((row, i) => ({ ...row, at: i, share: total[at] ? row.bytes / total[at] : 0 })) }));
    place.dataset.at = at;
  }
  fill(Number(get("at", String(peak))));
  step.story.slice(0, 3).forEach((sentence) => put(node("p", {}, sentence)));
  if (step.tried) put(tableOf(step.tried));
  put(node("details", {}, node("summary", {}, "Everything held at the peak, and the account of it"), tableOf(step.held), step.phases && tableOf(step.phases),
    node("dl", {}, step.facts.flatMap(([name, words]) => [node("dt", {}, name), node("dd", {}, words)]))));
}
const atPeak = (step) => Object.entries(step.bytes).map(([role, values]) => [role, undiffed(values)[undiffed(step.event).indexOf(step.peak)]]);
// Of each build the last step that is explained, by role at its peak.
function overview() {
  const builds = chosenBuilds();
  const steps = builds.map((build) => D.steps.filter((step) => step.build === build).sort((a, b) => b.steps - a.steps)[0]).filter(Boolean);
  if (steps.length < 2) return;
  const rows = steps.flatMap((step) => atPeak(step).map(([role, value], order) => ({ role, order, value, index: D.steps.indexOf(step), name: `${named(step.build)} at ${text(step.steps, "count")}`,
    tip: `${stepTitle(step)}\n${role}: ${bytesText(value)}, ${percent(value / step.peak_bytes)} of the peak\nclick: this step over time` })));
  const roles = [...new Set(rows.map((row) => row.role))];
  put(node("h2", {}, "What holds the peak of each, at its last recorded length"));
  chart({
    height: 24 * steps.length, data: { values: rows }, mark: { type: "bar", cursor: "pointer" },
    encoding: { y: { field: "name", type: "nominal", sort: null, title: null, axis: { labelLimit: isNarrow() ? 120 : 300 } },
      x: { field: "value", type: "quantitative", title: "held at the peak", axis: { ...axisOf("bytes"), values: bytesTicks(steps.map((step) => step.peak_bytes), false) } },
      color: { field: "role", type: "nominal", sort: null, scale: scaleOf(roles, roles.map((role) => ROLE_COLOURS[role])) }, order: { field: "order" }, tooltip: { field: "tip" } },
  }, `What holds the peak of each: ${steps.map((step) => { const [role, value] = atPeak(step).sort((a, b) => b[1] - a[1])[0]; return `${named(step.build)}, ${percent(value / step.peak_bytes)} ${role}`; }).slice(0, 8).join("; ")}.`,
  { click: (row) => row.index != null && set({ step: row.index, build: "", n: "", at: "" }) });
}
function overLengths(step) {
  const own = step ? D.steps.filter((one) => one.build === step.build && one.wall == null).sort((a, b) => a.steps - b.steps) : [];
  if (own.length < 2) return;
  const rows = own.flatMap((one) => atPeak(one).map(([role, value], order) => ({ role, order, value, steps: one.steps, index: D.steps.indexOf(one), tip: `${stepTitle(one)}\n${role}: ${bytesText(value)}` })));
  const roles = [...new Set(rows.map((row) => row.role))];
  put(node("h2", {}, `What holds the peak of ${named(step.build)}, by length`));
  chart({
    height: 240, data: { values: rows }, transform: [{ impute: "value", key: "steps", value: 0, groupby: ["role"] }], mark: { type: "area" },
    encoding: { x: { field: "steps", type: "quantitative", title: D.builds[step.build].axis, scale: { nice: false }, axis: axisOf("count") },
      y: { field: "value", type: "quantitative", stack: true, title: "held at the peak", axis: { ...axisOf("bytes"), values: bytesTicks(own.map((one) => one.peak_bytes), false) } },
      color: { field: "role", type: "nominal", sort: null, scale: scaleOf(roles, roles.map((role) => ROLE_COLOURS[role])) }, order: { field: "order" } },
  }, `What holds the peak of ${named(step.build)} from ${own[0].steps} to ${own.at(-1).steps} ${D.builds[step.build].axis}.`);
}

function contests() {
  const chosen = D.contests.filter((one) => family() === "*" || one.family === family());
  controls(buildControls());
  if (!chosen.length) return say("There is nothing to compare: one build alone, or no length that was measured for all.");
  for (const group of new Set(chosen.map((one) => one.family))) {
    const mine = chosen.filter((one) => one.family === group);
    const noise = "not clear: noise, or too close";
    const rows = mine.flatMap((one) => one.spans.map((span, _, spans) => {
      const name = !span.least.length ? noise : span.least.length === one.builds.length ? "all equal" : nameOf(span.least);
      const alone = spans.every((other) => other.first === other.last);
      return { metric: metricOf(one.metric).title, name, first: span.first / (alone ? 1.05 : 1), last: alone ? span.last * 1.05 : span.last + 1, predicted: span.predicted,
        colour: span.least.length && name !== "all equal" ? blended(span.least.map(colourOf)) : "",
        tip: `${metricOf(one.metric).title}, ${text(span.first, "count")}${alone ? "" : ` to ${text(span.last, "count")}`} ${axisName()}\n${name === noise ? noise : name === "all equal" ? name : `${name} ${{ nodes: "has fewest", bytes: "needs least", seconds: "is fastest" }[metricOf(one.metric).unit]}`}${span.predicted ? "\nby the laws, outside what was measured" : ""}` };
    }));
    const names = [...new Set(rows.map((row) => row.name))].filter((name) => name !== noise && name !== "all equal").concat(["all equal", noise].filter((name) => rows.some((row) => row.name === name)));
    const colours = names.map((name) => (name === noise ? css("--noise") : name === "all equal" ? css("--soft") : rows.find((row) => row.name === name).colour));
    put(node("h2", {}, `${group}: which build needs least, from which length`));
    chart({
      height: 30 * mine.length, data: { values: rows }, mark: { type: "bar", height: 18 },
      encoding: { y: { field: "metric", type: "nominal", sort: null, title: null, axis: { labelLimit: isNarrow() ? 110 : 200 } },
        x: { field: "first", type: "quantitative", title: `${axisName()} (logarithmic)`, scale: { type: "log", base: 2, nice: false }, axis: { ...axisOf("count"), values: powers(rows.flatMap((row) => [row.first, row.last])) } }, x2: { field: "last" },
        color: { field: "name", type: "nominal", sort: null, scale: scaleOf(names, colours) }, opacity: { condition: { test: "datum.predicted", value: 0.45 }, value: 1 }, tooltip: { field: "tip" } },
    }, mine.map((one) => `${metricOf(one.metric).title}: ${one.text}`).join(". ").slice(0, 600));
    put(node("details", {}, node("summary", {}, "In words, with the reasons"),
      node("dl", {}, mine.flatMap((one) => [node("dt", {}, metricOf(one.metric).title), node("dd", {}, one.text)]))));
  }
  say("A build counts only where its 95 % interval lies below those of all others. Pale parts lie outside the measured lengths and follow from the laws. Memory is compared in the schedule that was run; ", command("stepwall versus"), " checks the other one.");
  choices();
}

// What several builds share has a colour between theirs.
function blended(colours) {
  const sums = [1, 3, 5].map((at) => colours.reduce((sum, one) => sum + parseInt(one.slice(at, at + 2), 16), 0));
  return `#${sums.map((sum) => Math.round(sum / colours.length).toString(16).padStart(2, "0")).join("")}`;
}
// Marks of builds: filled where no other one beats them.
const spots = (y) => [true, false].map((best) => ({ transform: [{ filter: `(datum.best === 'best') === ${best}` }],
  mark: { type: "point", filled: best, size: 110, strokeWidth: 2, opacity: 1 }, encoding: { y, tooltip: { field: "tip" } } }));
// Time against memory of one step, per family: lower left is better.
function choices() {
  for (const table of D.choices.filter((one) => family() === "*" || one.name === family())) {
    const rows = rowsOf(table).filter((row) => chosenBuilds().includes(row.build) && row.peak != null && row.step_time != null).map((row) => ({ ...row, name: named(row.build),
      tip: `${named(row.build)}${row.best ? `: ${row.best}` : ""}\ndevice peak ${text(row.peak, "bytes")}\nsteady step ${text(row.step_time, "seconds")}, ${text(row.step_time_low, "seconds")} to ${text(row.step_time_high, "seconds")}` }));
    put(node("h2", {}, table.title));
    if (rows.length > 1) {
      const names = rows.map((row) => row.name);
      const base = { x: { field: "peak", type: "quantitative", title: "device peak", scale: { zero: true }, axis: { ...axisOf("bytes"), values: bytesTicks(rows.map((row) => row.peak), false) } },
        color: { field: "name", type: "nominal", sort: null, scale: scaleOf(names, rows.map((row) => colourOf(row.build))) } };
      const y = { title: "steady step", type: "quantitative", axis: axisOf("seconds"), scale: { zero: true } };
      chart({ height: 260, data: { values: rows }, encoding: base, layer: [
        { mark: { type: "rule" }, encoding: { y: { field: "step_time_low", ...y }, y2: { field: "step_time_high" } } },
        ...spots({ field: "step_time", ...y }),
      ] }, `Step time against device peak: ${rows.map((row) => `${row.name} ${text(row.step_time, "seconds")}, ${text(row.peak, "bytes")}`).slice(0, 8).join("; ")}.`);
      say("Lower left is better. Filled: no other build is better in one and no worse in the other. Bars span the repeats.");
    }
    put(tableOf(table, { rows: rowsOf(table).filter((row) => chosenBuilds().includes(row.build)) }));
  }
}

function remedies() {
  controls(buildControls());
  const rows = D.remedies ? rowsOf(D.remedies).filter((row) => chosenBuilds().includes(row.build)) : [];
  const drawn = rows.filter((row) => row.last_ok != null && row.slower != null).map((row) => ({ ...row, name: named(row.build),
    tip: `${named(row.build)}${row.best ? `: ${row.best}` : ""}\nsurvives ${text(row.last_ok, "count")} (${text(row.further, "times")} the first)\nstep time ${text(row.slower, "times")} the first${row.slower_low == null ? ", noise not known" : `: ${text(row.slower_low, "times")} to ${text(row.slower_high, "times")}`}` }));
  const of = new Set(rows.map((row) => `${row.family} ${row.limit}`)).size === 1 ? named(Math.min(...rows.map((row) => row.build))) : "the first build";
  const furthest = rows.filter((row) => row.further != null).sort((a, b) => b.further - a.further)[0];
  if (furthest && furthest.further > 1)
    put(node("p", {}, `${named(furthest.build)} goes furthest, ${text(furthest.further, "times")} as far as ${of}`
      + (furthest.slower == null ? "." : `; its step takes ${text(furthest.slower, "times")} the time${furthest.slower_low == null ? "" : ` (${text(furthest.slower_low, "times")} to ${text(furthest.slower_high, "times")})`}.`)));
  if (drawn.length > 1) {
    const names = drawn.map((row) => row.name);
    const ends = drawn.map((row) => row.last_ok);
    const log = Math.max(...ends) > 8 * Math.min(...ends);
    const y = { type: "quantitative", title: brief(`time of a step, against ${of}`, "time of a step"), axis: { labelExpr: "datum.label + ' ×'" }, scale: { zero: true } };
    chart({ height: 300, data: { values: drawn },
      encoding: { x: { field: "last_ok", type: "quantitative", title: `${axisName()} that survive${log ? " (logarithmic)" : ""}`,
        scale: log ? { type: "log", base: 2, nice: false, padding: 20 } : { zero: false, padding: 20 }, axis: { ...axisOf("count"), values: log ? powers(ends) : undefined } },
        color: { field: "name", type: "nominal", sort: null, scale: scaleOf(names, drawn.map((row) => colourOf(row.build))) } },
      layer: [
        { mark: "rule", encoding: { y: { field: "slower_low", ...y }, y2: { field: "slower_high" } } },
        ...spots({ field: "slower", ...y }),
      ] }, `How far each build goes and what a step of it costs in time: ${drawn.map((row) => `${row.name} ${text(row.last_ok, "count")}, ${text(row.slower, "times")}`).slice(0, 8).join("; ")}.`);
    say("Lower right is better. Filled: no other build goes further without a slower step. Bars are what noise allows.");
  }
  if (rows.length) put(tableOf(D.remedies, { rows }));
  const tried = D.steps.filter((step) => step.tried && chosenBuilds().includes(step.build));
  tried.forEach((step) => put(node("h2", {}, stepTitle(step)), tableOf(step.tried)));
  const advised = D.steps.filter((step) => chosenBuilds().includes(step.build) && step.advice.length);
  advised.slice(0, 4).forEach((step) => put(node("h2", {}, stepTitle(step)), step.advice.map((words) => node("p", {}, words))));
  const first = D.steps.find((step) => chosenBuilds().includes(step.build));
  if (!tried.length) say("To try what lowers the peak of one build, on that very step: ", command(`stepwall explain ${first ? `${shellWord(D.builds[first.build].scenario)} --steps ${first.steps}` : "SCENARIO --steps N"}`), ".");
}

// What budgets allow is the whole width; what is beyond it breaks them.
function budgets() {
  const colours = scaleOf(["kept", "broken", "unknown"], [PALETTE[0], PALETTE[1], css("--soft")]);
  const data = rowsOf(D.budgets).filter((row) => row.used != null).slice(0, MOST_BARS).map((row) => ({ ...row, name: `${row.scenario}: ${row.limit}`,
    drawn: Math.min(row.used, MOST_USED), said: row.used > MOST_USED ? `over ${text(MOST_USED, "share")}` : text(row.used, "share"), tip: `${row.scenario}: ${row.limit} is ${row.ruling}\n${row.measured} of ${row.allowed} at ${text(row.steps, "count")}` }));
  if (data.length) {
    const most = Math.max(1, ...data.map((row) => row.drawn));
    const x = { field: "drawn", type: "quantitative", title: "share of what is allowed", scale: { domain: [0, (isNarrow() ? 1.5 : 1.2) * most] }, axis: { format: ".0%" } };
    chart({ height: 26 * data.length, data: { values: data },
      encoding: { y: { field: "name", type: "nominal", sort: null, title: null, axis: { labelLimit: isNarrow() ? 130 : 320 } }, tooltip: { field: "tip" } },
      layer: [
        { mark: { type: "bar" }, encoding: { x, color: { field: "ruling", type: "nominal", scale: colours, title: null } } },
        { mark: { type: "rule", strokeWidth: 2, color: css("--ink") }, encoding: { x: { datum: 1 }, y: null } },
        { mark: { type: "text", align: "left", dx: 6 }, encoding: { x, text: { field: "said" } } },
      ] }, `Share of each limit that was measured: ${data.map((row) => `${row.name} ${row.said}`).slice(0, 12).join(", ")}.`);
  }
  put(tableOf(D.budgets));
}

function changes() {
  put(tableOf(D.changes));
  (D.notes ?? []).forEach((words) => say(words));
}

const VIEWS = [
  ["budgets", "Are budgets kept?", budgets, () => D.budgets],
  ["changes", "What changed?", changes, () => D.changes],
  ["walls", "Where does it end?", walls, () => count(D.walls)],
  ["fits", "How many fit on a card?", fits, () => count(D.fits)],
  ["growth", "How does it grow?", growth, () => count(D.points) || !count(D.walls)],
  ["contests", "Which build when?", contests, () => D.contests.length],
  ["memory", "What holds the memory?", memory, () => D.steps.length || count(D.points)],
  ["remedies", "What would help?", remedies, () => D.steps.length || D.remedies],
];
const views = VIEWS.filter(([, , , has]) => has());
function show() {
  const at = Math.max(0, views.findIndex(([name]) => name === get("view")));
  const [id, , draw] = views[at];
  const focused = placeOfFocus();
  dress();
  tell("");
  $("views").replaceChildren(...views.map(([name, title]) => node("button",
    { type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(name === id), "aria-controls": "view", tabindex: name === id ? 0 : -1,
      onclick: () => set({ view: name }), onkeydown: (event) => turn(event, at) }, title)));
  $("view").replaceChildren();
  $("view").setAttribute("aria-labelledby", `tab-${id}`);
  draw();
  const link = node("a", { href: `#${state}`, onclick: () => navigator.clipboard?.writeText(location.href).then(() => { link.textContent = "link copied"; }, () => {}) }, "link to this view");
  put(node("p", { class: "soft tools" }, link));
  if (focused) (document.querySelector(focused) ?? $("view")).focus({ preventScroll: true });
}
// All is made again: what had the keyboard gets it again, or the view does where that is gone.
function placeOfFocus() {
  const held = document.activeElement;
  if (!held || held === document.body) return null;
  return held.id ? `#${CSS.escape(held.id)}` : `${held.localName}[aria-label="${CSS.escape(held.getAttribute("aria-label") ?? "")}"]`;
}
// The arrow keys turn from one question to the next.
function turn(event, at) {
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: views.length - 1 }[event.key];
  if (to == null) return;
  event.preventDefault();
  const [name] = views.at(to % views.length);
  $(`tab-${name}`).focus();
  set({ view: name });
}
function details(title, table, options) {
  return table.columns[0]?.values.length ? node("details", { id: table.name }, node("summary", {}, title), tableOf(table, options)) : null;
}
$("more").append(...[
  details(`${count(D.failures)} points failed: how, with the end of their logs`, D.failures),
  details(`${column(D.unknown, "count").reduce((sum, one) => sum + one, 0)} numbers were not measured or are not known, for ${count(D.unknown)} ${count(D.unknown) === 1 ? "reason" : "reasons"}`, D.unknown),
].filter(Boolean));
let wide = innerWidth;
window.addEventListener("resize", () => { if (innerWidth !== wide) { wide = innerWidth; show(); } });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
show();
