// Draws Block Kit and mrkdwn as DOM nodes. Foreign text becomes text nodes, links only http(s); never markup.

let names = {};
let groups = {};
let now = new Date();

export function setNames(people, userGroups, at) {
  names = people;
  groups = userGroups;
  now = at;
}

export function el(tag, props, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
}

// Status emoji are drawn: they carry meaning, and not every machine has a font for them. The text stays in place.
const DRAWN = { "🟢": "green", "🟡": "yellow", "🔵": "blue", "🔴": "red", "🟠": "orange", "⚪": "white", "✅": "done", "❌": "failed" };
const EMOJI = new RegExp(`(${Object.keys(DRAWN).join("|")})`, "u");

function leaf(text) {
  return text.split(EMOJI).filter(Boolean).map((part) =>
    DRAWN[part] ? el("span", { className: `emoji ${DRAWN[part]}` }, el("span", { className: "hidden" }, part)) : part);
}

const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const TOKENS = /```\n?([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\p{L}\p{N}*])\*([^*\n]+)\*(?![\p{L}\p{N}*])|(?<![\p{L}\p{N}_])_([^_\n]+)_(?![\p{L}\p{N}_])|(?<![\p{L}\p{N}~])~([^~\n]+)~(?![\p{L}\p{N}~])|(\n)/gu;

export function mrkdwn(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(TOKENS)) {
    if (found.index > from) nodes.push(...leaf(plain(text.slice(from, found.index))));
    nodes.push(marked(found));
    from = found.index + found[0].length;
  }
  if (from < text.length) nodes.push(...leaf(plain(text.slice(from))));
  return nodes;
}

function marked([, pre, code, token, bold, italic, struck]) {
  if (pre !== undefined) return el("pre", { tabIndex: 0 }, bare(pre.replace(/\n$/, "")));
  if (code !== undefined) return el("code", {}, bare(code));
  if (token !== undefined) return tokenNode(token);
  if (bold !== undefined) return el("strong", {}, ...mrkdwn(bold));
  if (italic !== undefined) return el("em", {}, ...mrkdwn(italic));
  if (struck !== undefined) return el("s", {}, ...mrkdwn(struck));
  return el("br", {});
}

// Inside code Slack shows a token by its label and formats nothing.
const bare = (text) => plain(text.replace(/<([^<>]+)>/g, (_, token) => tokenNode(token).textContent));

function tokenNode(token) {
  const [target, label] = token.split(/\|(.*)/s);
  if (target.startsWith("@")) return mention(`@${names[target.slice(1)] || target.slice(1)}`);
  if (target.startsWith("!subteam^")) return mention(`@${groups[target.slice(9)] || target.slice(9)}`);
  if (target.startsWith("!date^")) return dateNode(target.split("^"), label);
  if (target.startsWith("!")) return mention(`@${target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${label || target.slice(1)}`);
  if (!/^(https?:|mailto:)/.test(target)) return document.createTextNode(plain(label || target));
  return el("a", { href: plain(target), target: "_blank", rel: "noreferrer noopener" }, plain(label || target));
}

const mention = (text) => el("span", { className: "mention" }, text);

function dateNode([, unix, format], fallback) {
  const at = new Date(Number(unix) * 1000);
  if (Number.isNaN(at.getTime()) || !format) return document.createTextNode(plain(fallback || ""));
  const text = format.replace(/\{(\w+)\}/g, (whole, word) => dated(at, word) ?? whole);
  return el("time", { dateTime: at.toISOString(), title: plain(fallback || "") }, plain(text));
}

function dated(at, word) {
  const pretty = word.endsWith("_pretty") && relative(at);
  if (pretty) return pretty;
  const kinds = {
    date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
    date_short: { year: "numeric", month: "short", day: "numeric" },
    date: { year: "numeric", month: "long", day: "numeric" },
    date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
    time: { hour: "2-digit", minute: "2-digit" },
    time_secs: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  };
  const kind = kinds[word.replace(/_pretty$/, "")];
  if (kind) return new Intl.DateTimeFormat([], kind).format(at);
  return word === "ago" ? ago(at) : undefined;
}

function relative(at) {
  const day = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[Math.round((day(at) - day(now)) / 86_400_000)];
}

function ago(at) {
  const minutes = Math.round((at - now) / 60_000);
  const format = new Intl.RelativeTimeFormat([], { numeric: "auto" });
  return Math.abs(minutes) < 60 ? format.format(minutes, "minute") : format.format(Math.round(minutes / 60), "hour");
}

const textNodes = (object) => (object.type === "mrkdwn" ? mrkdwn(object.text) : leaf(object.text));

export function blockNode(block, press) {
  const draw = { section, header, context, actions, divider, image, markdown: (b) => el("div", { className: "block text" }, b.text) }[block.type];
  return draw ? draw(block, press) : el("p", { className: "block quiet" }, `(${block.type})`);
}

function header(block) {
  return el("div", { className: "block head", role: "heading", ariaLevel: "3" }, ...leaf(block.text.text));
}

function section(block, press) {
  const parts = [];
  if (block.text) parts.push(el("div", { className: "text" }, ...textNodes(block.text)));
  if (block.fields) parts.push(el("div", { className: "block fields" }, ...block.fields.map((f) => el("div", {}, ...textNodes(f)))));
  if (!block.accessory) return el("div", { className: "block" }, ...parts);
  return el("div", { className: "block with" }, el("div", {}, ...parts), element(block.accessory, block.block_id, press));
}

function context(block) {
  return el("div", { className: "block context" }, ...block.elements.map((e) => (e.type === "image" ? image(e) : el("span", {}, ...textNodes(e)))));
}

function actions(block, press) {
  return el("div", { className: "block actions" }, ...block.elements.map((e) => element(e, block.block_id, press)));
}

const divider = () => el("hr", { className: "block" });
const filed = (file) => (file?.id ? `/sandbox/files/${encodeURIComponent(file.id)}` : "");
const image = (block) => el("div", { className: "block" }, picture(block.image_url || filed(block.slack_file), block.alt_text));
const picture = (src, alt) => {
  const made = el("img", { src, alt });
  // A picture has no height before it is there: whoever keeps the end in view has to hear of it.
  made.addEventListener("load", () => made.dispatchEvent(new CustomEvent("grown", { bubbles: true })));
  return made;
};

function element(item, blockId, press) {
  if (item.type === "image") return image(item);
  if (item.type === "button") return buttonNode(item, blockId, press);
  const label = item.placeholder?.text || (item.type === "overflow" ? "More…" : "Choose…");
  const select = el("select", { ariaLabel: label }, el("option", { value: "" }, label), ...(item.options || []).map((o) => el("option", { value: o.text.text }, o.text.text)));
  select.dataset.focus = item.action_id;
  select.addEventListener("change", () => { if (select.value) press(select.value, blockId, select); select.value = ""; });
  return select;
}

function buttonNode(item, blockId, press) {
  const made = el("button", { type: "button", className: `button ${item.style || ""}` }, ...leaf(item.text.text));
  if (item.accessibility_label) made.ariaLabel = item.accessibility_label;
  made.dataset.focus = item.action_id;
  made.addEventListener("click", () => {
    if (item.url && /^https?:/.test(item.url)) window.open(item.url, "_blank", "noreferrer");
    press(item.action_id, blockId, made);
  });
  return made;
}
