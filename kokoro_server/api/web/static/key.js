// The API key: asked for when the server wants one, kept until the tab is closed.

import { by } from "./dom.js";

const NAME = "api-key";
let asking = null;

by("key-cancel").addEventListener("click", () => by("key").close()); // not a submit button, or Enter would press it

export function keptKey() {
  return sessionStorage.getItem(NAME);
}

/** Whether a key was given; several requests that are refused at once ask one time. */
export function askForKey(why) {
  asking ??= ask(why).finally(() => { asking = null; });
  return asking;
}

function ask(why) {
  const dialog = by("key");
  const field = by("key-value");
  by("key-why").textContent = why;
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "use" ? field.value.trim() : "";
      if (given) {
        sessionStorage.setItem(NAME, given);
        document.dispatchEvent(new Event("key"));
      }
      resolve(Boolean(given));
    }, { once: true });
  });
}
