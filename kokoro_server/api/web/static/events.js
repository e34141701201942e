// Server-sent events of an answer to a POST, which EventSource can't make.

/** The JSON of each event, as it comes. */
export async function* eventsOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) yield JSON.parse(event.replace(/^data: /, ""));
    }
  } finally {
    reader.cancel().catch(() => {}); // aborted already
  }
}
