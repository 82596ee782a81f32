// The sandbox's page: draws what one person sees, twice a second, and sends what they do.
// Foreign text only ever becomes a text node; nothing here writes markup from a message.

import { blockNode, el, mrkdwn, setNames } from "/blocks.js";
import { drawMesh, wireMesh } from "/mesh.js";
import { drawForm } from "/form.js";
import { wireIdeas } from "/ideas.js";
import { drawHome } from "/home.js";
import { moreButton, wirePlus } from "/shortcuts.js";

const POLL_MS = 500;
const SHOWN_REPLIES = 4;
const $ = (id) => document.getElementById(id);

const link = location.pathname.match(/^\/archives\/(\w+)\/p(\d{10})(\d{6})$/);
const here = {
  viewer: new URLSearchParams(location.search).get("as") || "",
  channel: link ? link[1] : "",
  found: link ? `${link[2]}.${link[3]}` : "",
  thread: "",
  home: false,
  state: null,
  said: [],
  back: 0,
};
const drawn = new Map();
const seen = new Map();
const dismissed = new Set();
const unfolded = new Set();

async function send(path, body) {
  const answer = await fetch(`/sandbox/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  await refresh();
  return answer.json();
}

async function refresh() {
  try {
    const answer = await fetch(`/sandbox/state?as=${encodeURIComponent(here.viewer)}`);
    here.state = await answer.json();
    const first = here.state.people[0];
    if (!here.viewer && first) { here.viewer = first.id; return refresh(); }
    if (!pressing) draw();
  } catch {
    banner("The sandbox has stopped. Start it again and this page goes on.");
  }
}

// A button that is made anew between its being pressed and let go would never be clicked.
let pressing = false;
document.addEventListener("pointerdown", () => { pressing = true; });
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => { pressing = false; setTimeout(() => here.state && draw()); });
}

function banner(text) {
  const place = $("banner");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
}

function draw() {
  const { state } = here;
  setNames(state.names, state.groups, state.panel ? new Date(state.panel.time) : new Date());
  here.channel ||= state.channels[0]?.id || "";
  banner(state.slack_down ? "Slack is down: nothing gets through to the bot, or back." : "");
  drawPeople();
  if (here.home) drawHome($("home"), state.home, send, here.viewer);
  else drawMessages();
  drawChannels();
  drawMesh(state);
  drawForm(state.form, state.people, send, here.viewer);
}

function once(place, key, make) {
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.focus : "";
  place.replaceChildren(...make());
  if (focused) place.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

function drawPeople() {
  const { people } = here.state;
  once($("people"), JSON.stringify(people), () =>
    people.map((person) => {
      const radio = el("input", { type: "radio", name: "viewer", value: person.id, checked: person.id === here.viewer });
      radio.addEventListener("change", () => become(person.id));
      return el("label", {}, radio, face(person.id), el("span", {}, person.label));
    }),
  );
  const me = people.find((person) => person.id === here.viewer);
  $("acting").textContent = me ? `acting as ${me.label}` : "";
}

function become(id) {
  here.viewer = id;
  dismissed.clear();
  history.replaceState(null, "", `?as=${id}`);
  if (here.home) send("home", { user: id });
  else refresh();
}

// The Home tab takes the place of the messages; like Slack, opening it is what makes the bot draw it.
function goHome(open) {
  here.home = open;
  for (const id of ["messages", "composer"]) $(id).hidden = open;
  $("home").hidden = !open;
  if (open) $("home-tab").setAttribute("aria-current", "page");
  else $("home-tab").removeAttribute("aria-current");
  if (open) send("home", { user: here.viewer });
}

const use = (callback_id, ts) => send("shortcut", { user: here.viewer, callback_id, ts });
const offered = () => here.state?.shortcuts ?? [];

function drawChannels() {
  const { channels, messages } = here.state;
  const counts = channels.map(({ id }) => messages.filter((m) => m.channel === id && m.bot && m.ts > (seen.get(id) || "")).length);
  once($("channels"), JSON.stringify([channels, counts, here.channel, here.home]), () =>
    channels.map(({ id, name }, at) => {
      const news = counts[at] ? [el("span", { className: "new", title: "new messages" }, String(counts[at]))] : [];
      const pick = el("button", { type: "button" }, el("span", {}, `# ${name}`), ...news);
      pick.dataset.focus = id;
      if (id === here.channel && !here.home) pick.setAttribute("aria-current", "true");
      pick.addEventListener("click", () => { goHome(false); here.channel = id; reply(""); draw(); toEnd(); });
      return el("li", {}, pick);
    }),
  );
  const name = channels.find(({ id }) => id === here.channel)?.name || "";
  $("channel-name").textContent = here.home ? "Sluice" : name ? `# ${name}` : "";
  $("messages").setAttribute("aria-label", `Messages in ${name}`);
  $("text").setAttribute("aria-label", here.thread ? "Reply in the thread" : `Message ${name}`);
}

function drawMessages() {
  const list = $("messages");
  const visible = here.state.messages.filter((m) => m.channel === here.channel && !dismissed.has(m.ts));
  const threads = Map.groupBy ? Map.groupBy(visible, (m) => m.thread_ts) : grouped(visible);
  const roots = visible.filter((m) => !m.thread_ts || m.broadcast);
  const wanted = roots.map((m) => {
    const replies = m.thread_ts ? [] : threads.get(m.ts) || [];
    return node(`${here.channel} ${m.ts}`, [m, replies, unfolded.has(m.ts)], () => messageNode(m, replies));
  });
  if (!wanted.length) wanted.push(node("empty", [], emptyNode));
  place(list, wanted);
  seen.set(here.channel, visible.at(-1)?.ts || "");
  if (here.found) toFound();
  else follow();
}

function grouped(messages) {
  const groups = new Map();
  for (const m of messages) groups.set(m.thread_ts, [...(groups.get(m.thread_ts) || []), m]);
  return groups;
}

// A node is made anew only when what it shows has changed, so that focus, selection and screen readers stay calm.
function node(key, content, make) {
  const signature = JSON.stringify(content);
  const old = drawn.get(key);
  if (old?.signature === signature) return old.made;
  const made = make();
  drawn.set(key, { signature, made });
  return made;
}

function place(list, wanted) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.focus : "";
  let changed = false;
  wanted.forEach((item, at) => {
    if (list.children[at] === item) return;
    changed = true;
    const going = list.children[at];
    if (going && !wanted.includes(going)) going.replaceWith(item);
    else list.insertBefore(item, going || null);
  });
  while (list.children.length > wanted.length) { list.lastChild.remove(); changed = true; }
  if (focused && changed) list.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

const toEnd = () => { $("messages").scrollTop = $("messages").scrollHeight; };

// Whoever reads the end goes along with it; but nothing moves under a pointer that is about to press.
let atEnd = true;
let pointed = -Infinity;
function follow() {
  if (atEnd && performance.now() - pointed > 2000) toEnd();
}
$("messages").addEventListener("scroll", () => { const list = $("messages"); atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 120; });
for (const move of ["pointermove", "pointerdown"]) $("messages").addEventListener(move, () => { pointed = performance.now(); });
$("messages").addEventListener("grown", follow);

function toFound() {
  const found = document.querySelector(`[data-ts="${CSS.escape(here.found)}"]`);
  if (!found) return;
  found.classList.add("found");
  found.scrollIntoView({ block: "center" });
  here.found = "";
}

function face(user, bot) {
  const name = here.state.names[user] || "Slack";
  const at = here.state.people.findIndex(({ id }) => id === user);
  const look = bot ? "bot" : at < 0 ? "system" : `f${at % 4}`;
  return el("span", { className: `face ${look}`, ariaHidden: "true" }, name[0].toUpperCase());
}

function messageNode(m, replies) {
  const body = el("div", { className: "body" }, who(m), ...content(m));
  if (m.reactions.length) body.append(el("p", {}, ...m.reactions.map((name) => el("span", { className: "reaction" }, `:${name}:`))));
  if (replies.length) body.append(threadNode(m, replies));
  body.append(foot(m));
  const item = el("li", { className: m.ephemeral ? "message private" : "message" }, face(m.user, m.bot), body);
  item.dataset.ts = m.ts;
  return item;
}

function who(m) {
  const at = new Date(Number(m.ts) * 1000);
  const parts = [el("b", {}, m.bot ? "Sluice" : here.state.names[m.user] || "Slack")];
  if (m.bot) parts.push(el("span", { className: "badge" }, "APP"));
  parts.push(el("time", { dateTime: at.toISOString() }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  if (m.ephemeral) parts.push(el("span", { className: "said" }, "Only visible to you"));
  if (m.broadcast) parts.push(el("span", { className: "said" }, "replied to a thread, and told the channel"));
  if (m.edited) parts.push(el("span", { className: "edited" }, "(edited)"));
  return el("div", { className: "who" }, ...parts);
}

function content(m) {
  if (!m.blocks.length) return [el("div", { className: "text" }, ...mrkdwn(m.text))];
  return m.blocks.map((block) => blockNode(block, press(m)));
}

const press = (m) => async (action, block_id, button) => {
  if (button) { button.disabled = true; button.setAttribute("aria-busy", "true"); }
  try {
    await send("click", { user: here.viewer, ts: m.ts, action, block_id });
  } finally {
    if (button) { button.disabled = false; button.removeAttribute("aria-busy"); }
  }
};

function threadNode(root, replies) {
  const all = unfolded.has(root.ts);
  const hidden = all ? 0 : Math.max(0, replies.length - SHOWN_REPLIES);
  const items = replies.slice(hidden).map((m) => {
    const item = el("li", { className: m.ephemeral ? "message private" : "message" }, face(m.user, m.bot), el("div", { className: "body" }, who(m), ...content(m)));
    item.dataset.ts = m.ts;
    return item;
  });
  const thread = el("ol", { className: "thread", ariaLabel: `Thread, ${replies.length} replies` }, ...items);
  if (hidden) {
    const more = el("button", { type: "button", className: "reply" }, `Show ${hidden} earlier ${hidden === 1 ? "reply" : "replies"}`);
    more.addEventListener("click", () => { unfolded.add(root.ts); draw(); });
    thread.prepend(el("li", {}, more));
  }
  return thread;
}

function foot(m) {
  const first = m.ephemeral ? ["Dismiss", () => { dismissed.add(m.ts); draw(); }] : ["Reply in thread", () => reply(m.thread_ts || m.ts)];
  const button = el("button", { type: "button", className: "reply" }, first[0]);
  button.addEventListener("click", first[1]);
  const more = m.bot && !m.ephemeral ? [moreButton(m.ts, offered, use)] : [];
  return el("div", { className: "foot" }, button, ...more);
}

function emptyNode() {
  const example = el("button", { type: "button" }, "/deploy checkout v2");
  example.addEventListener("click", () => fill("/deploy checkout v2"));
  return el("li", { className: "empty" },
    el("h2", {}, "Nothing has been said here yet"),
    el("p", {}, "Ask for a new version as the requester, then switch to an approver and press the buttons. Break the canary and watch the traffic go home."),
    example);
}

function fill(line) {
  $("text").value = line;
  grow();
  $("text").focus();
}

function reply(ts) {
  here.thread = ts;
  $("replying").hidden = !ts;
  $("text").placeholder = ts ? "Reply, or tell the bot: @sluice rollback" : "Type /deploy checkout v2";
  if (ts) $("text").focus();
}

function grow() {
  const text = $("text");
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

async function say(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  here.said.push(text);
  here.back = 0;
  $("text").value = "";
  grow();
  await send("say", { user: here.viewer, channel: here.channel, text, thread_ts: here.thread });
  if (!here.thread) toEnd();
}

function typed(event) {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { say(event); return; }
  const text = $("text");
  const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  const edge = !text.value.includes("\n");
  if (!step || !edge || !here.said.length) return;
  event.preventDefault();
  here.back = Math.max(0, Math.min(here.said.length, here.back + step));
  text.value = here.back ? here.said.at(-here.back) : "";
  grow();
}

$("composer").addEventListener("submit", say);
$("text").addEventListener("keydown", typed);
$("text").addEventListener("input", grow);
$("stop-replying").addEventListener("click", () => reply(""));
reply("");
wireMesh(send);
wirePlus(offered, use);
$("home-tab").addEventListener("click", () => goHome(true));
wireIdeas(() => here.state?.panel?.services ?? [], fill);
if (matchMedia("(max-width: 800px)").matches) document.querySelector("#mesh details").open = false;

async function run() {
  await refresh();
  setTimeout(run, POLL_MS);
}
run().then(toEnd);
