// Puts times into the reader's zone, and shows new alerts and reviewed claims without a reload: the page is fetched again and its
// main part exchanged.
"use strict";

const WAIT_MS = 1000; // between two exchanges; the first of a row comes at once
const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const live = document.getElementById("live");

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.textContent;
      time.textContent = shown.format(at);
    }
  }
}

function say(state, text) {
  live.className = "live " + state;
  live.textContent = text;
}

let last = 0;
let planned = 0;

function plan() {
  if (!planned) planned = setTimeout(exchange, Math.max(0, last + WAIT_MS - Date.now()));
}

async function exchange() {
  last = Date.now();
  planned = 0;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const main = document.querySelector("main");
  if (!fresh || !main) return;
  const focused = document.activeElement && document.activeElement.getAttribute("href");
  localTimes(fresh);
  main.replaceChildren(...fresh.childNodes);
  if (focused) {
    const again = [...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused);
    if (again) again.focus({ preventScroll: true });
  }
}

localTimes(document);
if (live) {
  const events = new EventSource("/live?event=alert&event=claim");
  events.addEventListener("open", () => { say("on", "live"); plan(); });
  events.addEventListener("error", () => say("off", "reconnecting"));
  events.addEventListener("alert", plan);
  events.addEventListener("claim", plan);
}
