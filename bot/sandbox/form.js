// A form that the bot opened, drawn as a dialog; the bot's complaints are shown at the fields.

import { blockNode, el } from "/blocks.js";
import { pressing } from "/home.js";

const dialog = document.getElementById("form");
let shown = "";

export function drawForm(view, people, send, viewer) {
  const key = view ? `${view.id} ${view.hash}` : "";
  if (key === shown) return;
  shown = key;
  dialog.close();
  if (!view) return;
  const dismiss = () => send("dismiss", { view_id: view.id });
  dialog.replaceChildren(formNode(view, people, dismiss, (values) => send("submit", { user: viewer, view_id: view.id, values }), pressing(send, viewer, view)));
  dialog.oncancel = dismiss;
  dialog.showModal();
}

function formNode(view, people, dismiss, submit, press) {
  const inputs = [];
  const blocks = view.blocks.map((block) => (block.type === "input" ? inputNode(block, people, inputs) : blockNode(block, press)));
  const close = el("button", { type: "button" }, view.close?.text || "Cancel");
  close.addEventListener("click", dismiss);
  const go = view.submit ? [el("button", { type: "submit", className: "primary" }, view.submit.text)] : [];
  const form = el("form", { noValidate: true }, el("h2", { id: "form-title" }, view.title.text), ...blocks, el("p", { className: "wrong", role: "alert", id: "wrong-" }), el("footer", {}, close, ...go));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = inputs.filter(({ value }) => value() !== null).map(({ id, value }) => [id, value()]);
    const { errors = {} } = await submit(Object.fromEntries(given));
    for (const place of form.querySelectorAll(".wrong")) place.textContent = errors[place.id.slice(6)] || "";
  });
  return form;
}

function inputNode(block, people, inputs) {
  const item = block.element;
  const id = `input-${block.block_id}`;
  const [made, value] = control(item, id, people);
  inputs.push({ id: item.action_id, value });
  const help = block.hint ? [el("p", { className: "help" }, block.hint.text)] : [];
  const wrong = el("p", { className: "wrong", role: "alert", id: `wrong-${block.block_id}` });
  const label = block.label.text + (block.optional ? " (optional)" : "");
  if (made.tagName === "DIV") return el("fieldset", {}, el("legend", {}, label), made, ...help, wrong);
  return el("div", { className: "field" }, el("label", { htmlFor: id }, label), made, ...help, wrong);
}

function control(item, id, people) {
  const hint = item.placeholder?.text || "";
  switch (item.type) {
    case "static_select": return choice(item.options || item.option_groups.flatMap((g) => g.options), item.initial_option?.value, id, hint);
    case "users_select": return choice(people.map((p) => ({ value: p.id, text: { text: p.name } })), item.initial_user, id, hint);
    case "radio_buttons": return ticks(item, id, "radio", item.initial_option ? [item.initial_option] : []);
    case "checkboxes": case "multi_static_select": return ticks(item, id, "checkbox", item.initial_options || []);
    case "datepicker": return typedIn("input", { type: "date", id, value: item.initial_date || "" });
    case "timepicker": return typedIn("input", { type: "time", id, value: item.initial_time || "" });
    default: return typedIn(item.multiline ? "textarea" : "input", { id, value: item.initial_value || "", placeholder: hint });
  }
}

function typedIn(tag, props) {
  const made = el(tag, props);
  return [made, () => made.value || null];
}

function choice(options, initial, id, hint) {
  const made = el("select", { id }, el("option", { value: "" }, hint || "Choose…"), ...options.map((o) => el("option", { value: o.value, selected: o.value === initial }, o.text.text)));
  return [made, () => made.value || null];
}

function ticks(item, id, type, initial) {
  const boxes = item.options.map((o) => el("input", { type, name: id, value: o.value, checked: initial.some((i) => i.value === o.value) }));
  const made = el("div", {}, ...item.options.map((o, at) => el("label", {}, boxes[at], o.text.text)));
  const picked = () => boxes.filter((box) => box.checked).map((box) => box.value);
  return [made, () => (type === "radio" ? picked()[0] || null : picked())];
}
