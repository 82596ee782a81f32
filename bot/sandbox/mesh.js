// The panel beside the chat: what the simulated mesh does, and the levers to make trouble in it.

import { el } from "/blocks.js";

const SPEEDS = [1, 5, 10, 30, 60, 120];
const $ = (id) => document.getElementById(id);
const percent = (value) => `${Number(value.toFixed(1))} %`;
const held = new Set();

export function wireMesh(send) {
  const act = (name, value = null) => send("panel", { name, value });
  $("break").addEventListener("click", () => act("break"));
  $("heal").addEventListener("click", () => act("heal"));
  for (const name of ["metrics_down", "slack_down"]) $(name).addEventListener("change", (e) => act(name, e.target.checked));
  $("services").addEventListener("change", (e) => act("service", e.target.value));
  $("speed").addEventListener("change", (e) => act("speed", Number(e.target.value)));
  for (const name of ["errors", "latency"]) wireSlider($(name), (value) => act(name, value));
}

// A slider under a finger must not jump back to what the mesh says.
function wireSlider(slider, act) {
  slider.addEventListener("input", () => { held.add(slider.id); label(slider.id, Number(slider.value)); });
  slider.addEventListener("change", async () => { await act(Number(slider.value)); held.delete(slider.id); });
}

export function drawMesh({ panel, slack_down: slackDown }) {
  $("no-mesh").hidden = Boolean(panel);
  $("with-mesh").hidden = !panel;
  if (!panel) return;
  $("service").textContent = panel.service;
  drawServices(panel);
  drawBar(panel.lanes);
  const lanes = $("lanes");
  const key = JSON.stringify(panel.lanes);
  if (lanes.dataset.key !== key) { lanes.dataset.key = key; lanes.replaceChildren(...panel.lanes.map(laneNode)); }
  for (const name of ["errors", "latency"]) if (!held.has(name)) { $(name).value = panel[name]; label(name, panel[name]); }
  $("break").setAttribute("aria-pressed", String(panel.broken));
  $("metrics_down").checked = panel.metrics_down;
  $("slack_down").checked = slackDown;
  drawClock(panel);
}

function drawServices({ service, services }) {
  const select = $("services");
  select.hidden = services.length < 2;
  if (select.options.length !== services.length) select.replaceChildren(...services.map((name) => el("option", { value: name }, name)));
  if (document.activeElement !== select) select.value = service;
}

function label(name, value) {
  $(`${name}-out`).textContent = name === "errors" ? percent(value) : `${Math.round(value)} ms`;
  $(name).setAttribute("aria-valuetext", $(`${name}-out`).textContent);
}

function drawBar(lanes) {
  const [stable, canary] = lanes;
  $("bar").setAttribute("aria-label", `Traffic: ${percent(stable.weight)} ${stable.name}, ${percent(canary.weight)} ${canary.name}`);
  $("bar").querySelector(".stable").style.flexBasis = `${stable.weight}%`;
  $("bar").querySelector(".canary").style.flexBasis = `${canary.weight}%`;
}

function laneNode(lane) {
  const pods = Array.from({ length: lane.pods }, (_, at) => el("i", { className: at < lane.ready ? "ready" : "" }));
  const rows = [["pods", `${lane.ready} of ${lane.pods}`], ["errors", lane.error_rate === null ? "—" : percent(lane.error_rate)], ["p95", lane.latency_p95 === null ? "—" : `${Math.round(lane.latency_p95)} ms`]];
  return el("div", { className: `lane ${lane.lane}` },
    el("div", { className: "name" }, lane.name),
    el("div", { className: "version", title: lane.version }, lane.version || "—"),
    el("div", { className: "weight" }, percent(lane.weight)),
    el("div", { className: "pods", ariaHidden: "true" }, ...pods),
    el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
}

function drawClock({ time, speed }) {
  const clock = $("clock");
  clock.textContent = new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  clock.dateTime = time;
  const speeds = SPEEDS.includes(speed) ? SPEEDS : [...SPEEDS, speed].sort((a, b) => a - b);
  const select = $("speed");
  if (select.options.length !== speeds.length) select.replaceChildren(...speeds.map((s) => el("option", { value: s }, s === 1 ? "real time" : `${s} × faster`)));
  if (document.activeElement !== select) select.value = String(speed);
}
