// The keys. Ctrl+Enter and Escape work everywhere; Space and the arrows only where they mean nothing else.

const STEP = 5; // seconds

export function startShortcuts({ start, stop, toggle, step }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const action = actionFor(event, { start, stop, toggle, step });
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function actionFor(event, { start, stop, toggle, step }) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return start;
  if (event.key === "Escape") return stop;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("a, button, input, select, textarea, summary")) {
    return null;
  }
  return { " ": toggle, ArrowLeft: () => step(-STEP), ArrowRight: () => step(STEP) }[event.key] ?? null;
}
