// The shortcuts of the app: behind the composer's +, and behind the … of what the bot has posted.

import { el } from "/blocks.js";

const $ = (id) => document.getElementById(id);

export function wirePlus(offered, use) {
  $("plus").addEventListener("click", () => {
    const open = $("plus").getAttribute("aria-expanded") !== "true";
    show(open ? offered().filter(({ kind }) => kind === "global") : [], use);
  });
}

function show(shortcuts, use) {
  $("plus").setAttribute("aria-expanded", String(shortcuts.length > 0));
  $("shortcut-list").hidden = !shortcuts.length;
  $("shortcut-list").replaceChildren(...shortcuts.map(({ callback_id, name }) => {
    const made = el("button", { type: "button" }, el("span", {}, name));
    made.addEventListener("click", () => { show([], use); use(callback_id, ""); });
    return el("li", {}, made);
  }));
}

// The entries are made when they are asked for: until then their words are nowhere on the page.
export function moreButton(ts, offered, use) {
  const more = el("button", { type: "button", className: "reply", ariaLabel: "More actions", ariaExpanded: "false" }, "⋯");
  const place = el("span", {}, more);
  more.addEventListener("click", () => {
    const open = more.ariaExpanded !== "true";
    more.ariaExpanded = String(open);
    const entries = open ? offered().filter(({ kind }) => kind === "message") : [];
    place.replaceChildren(more, ...entries.map(({ callback_id, name }) => {
      const made = el("button", { type: "button", className: "reply" }, name);
      made.addEventListener("click", () => use(callback_id, ts));
      return made;
    }));
  });
  return place;
}
