// The Home tab of the bot: what it published for one person. Its buttons, like those of a form, belong to a view.

import { blockNode, el } from "/blocks.js";

export function pressing(send, user, view) {
  return async (action, block_id, button) => {
    if (button) { button.disabled = true; button.setAttribute("aria-busy", "true"); }
    try {
      await send("press", { user, view_id: view.id, action, block_id });
    } finally {
      if (button) { button.disabled = false; button.removeAttribute("aria-busy"); }
    }
  };
}

export function drawHome(place, view, send, user) {
  const key = view ? `${user} ${view.hash}` : user;
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const shown = view ? view.blocks.map((block) => blockNode(block, pressing(send, user, view))) : [el("p", { className: "quiet" }, "The bot has drawn nothing here yet.")];
  place.replaceChildren(...shown);
}
