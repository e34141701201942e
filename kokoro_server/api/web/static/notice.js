// Tells what went wrong, and what to do about it.

import { Refused, Unreachable } from "./api.js";
import { by } from "./dom.js";
import { mark } from "./text.js";

const ADVICE = {
  401: "Reload the page to enter the API key again.",
  413: "Split it into smaller parts.",
  500: "Try again. If it fails again, see the server's log for the cause.",
  503: "The server may still be starting. Try again in a few seconds.",
  504: "Try a shorter text, or raise the server's timeout.",
};
const REFUSED_FOR_GOOD = [400, 413, 415]; // the same sent once more would be refused once more
let retry = null;

/** Show an error; `again`, if given, does what failed once more. */
export function report(error, again = null) {
  const [title, advice] = explained(error);
  const notice = by("notice");
  notice.querySelector("strong").textContent = title;
  notice.querySelector("p").textContent = advice;
  retry = again;
  by("again").hidden = !again || (error instanceof Refused && REFUSED_FOR_GOOD.includes(error.status));
  notice.hidden = false;
  if (error.field === "text" || error.field?.startsWith("text")) {
    mark(true);
    by("text").focus();
  }
}

export function clearNotice() {
  by("notice").hidden = true;
}

function explained(error) {
  if (error instanceof Unreachable) {
    return ["The server can't be reached", "Check that it is running and that this machine is connected, then try again."];
  }
  if (!(error instanceof Refused)) throw error;
  const wait = error.retryAfter ? `Try again in ${error.retryAfter} seconds.` : "";
  const named = error.status >= 500 && error.requestId ? ` Request ID: ${error.requestId.slice(0, 8)}.` : "";
  const title = REFUSED_FOR_GOOD.includes(error.status) ? "The server can't process this request" : error.title;
  return [title, [error.message, error.status === 429 ? wait : ADVICE[error.status] ?? "", named].join(" ").trim()];
}

by("dismiss").addEventListener("click", () => {
  clearNotice();
  by("text").focus();
});
by("again").addEventListener("click", () => {
  clearNotice();
  retry();
});
