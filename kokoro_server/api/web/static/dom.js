// Finding elements, and telling those who can't see the page what happened on it.

export const by = (id) => document.getElementById(id);

export function say(text) {
  by("said").textContent = text;
}

/** "1:05" for 65 seconds. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** "5 seconds", "2 minutes 5 seconds": what a screen reader should say for a position. */
export function inWords(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  const unit = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;
  return minutes ? `${unit(minutes, "minute")} ${unit(rest, "second")}` : unit(rest, "second");
}
