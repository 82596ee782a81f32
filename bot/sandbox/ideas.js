// What a newcomer can try beyond the first deploy: lines that are put into the composer, and never sent by themselves.

import { el } from "/blocks.js";

const IDEAS = [
  ["checkout", "See the plan before anything runs", "/deploy plan checkout v2"],
  ["checkout", "Try both side by side, then a person picks", "/deploy checkout v2 strategy=ab-test split=50/50 test-duration=5m"],
  ["checkout", "Beta users first", "/deploy checkout v2 user-tier=beta"],
  ["checkout", "A quarter of it at a time", "/deploy checkout v2 strategy=rolling batch-size=25%"],
  ["checkout", "Tonight, not now", '/deploy checkout v2 at="02:00"'],
  ["cart", "Two colours, one switch", "/deploy cart v2 strategy=blue-green"],
  ["search", "Two instances at a time", "/deploy search v2 strategy=rolling batch-size=2"],
  ["search", "Stop the old, start the new", "/deploy search v2 strategy=recreate"],
  ["payments us-east", "Two regions, one after the other", "/deploy payments v2"],
  ["", "How it all went", "/deploy stats"],
];
const $ = (id) => document.getElementById(id);

// The list is made when it is asked for: until then its words are nowhere on the page.
export function wireIdeas(services, fill) {
  $("ideas").addEventListener("click", () => {
    const open = $("ideas").getAttribute("aria-expanded") !== "true";
    show(open ? IDEAS.filter(([service]) => !service || services().includes(service)) : [], fill);
  });
}

function show(ideas, fill) {
  $("ideas").setAttribute("aria-expanded", String(ideas.length > 0));
  $("idea-list").hidden = !ideas.length;
  $("idea-list").replaceChildren(...ideas.map(([, title, line]) => {
    const made = el("button", { type: "button" }, el("span", {}, title), el("code", {}, line));
    made.addEventListener("click", () => { show([], fill); fill(line); });
    return el("li", {}, made);
  }));
}
