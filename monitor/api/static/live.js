// Times in the reader's zone; lists that follow while their filters are changed; new things without a reload.
//
// All of it is made by the server: this script fetches the page again and exchanges the parts that are marked data-fresh. What the
// reader is just writing, has ticked or has opened stays as it is.
"use strict";

const AGAIN_MS = 1000; // between two looks at what is new; the first of a row comes at once
const TYPING_MS = 120;
const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const live = document.getElementById("live");
const events = document.body.dataset.live;
const served = new Map(); // what the server sent last for each part, by id

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.textContent;
      time.textContent = shown.format(at);
    }
  }
}

function isInUse(part) {
  const focused = document.activeElement;
  if (focused && part.contains(focused) && focused.matches("input:not([type=checkbox]), select, textarea")) return true;
  return [...part.querySelectorAll("input:not([type=hidden])")].some((one) => one.checked !== one.defaultChecked || one.value !== one.defaultValue);
}

// How to find an element again in what takes its place.
function trail(element, part) {
  const way = [];
  for (let at = element; at && at !== part; at = at.parentElement) {
    if (at.id) return ["#" + CSS.escape(at.id), way.reverse()];
    way.push([...at.parentElement.children].indexOf(at));
  }
  return ["", way.reverse()];
}

function follow([id, way], part) {
  let at = id ? part.querySelector(id) : part;
  for (const step of way) at = at && at.children[step];
  return at;
}

function exchange(part, fresh) {
  if (served.get(part.id) === fresh.innerHTML) return;
  const html = fresh.innerHTML;
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const href = focused && focused.getAttribute("href");
  const place = focused && trail(focused, part);
  const open = [...part.querySelectorAll("details[open]")].map((one) => trail(one, part));
  localTimes(fresh);
  part.replaceChildren(...fresh.childNodes);
  served.set(part.id, html);
  for (const one of open) {
    const again = follow(one, part);
    if (again && again.matches("details")) again.open = true;
  }
  if (focused) {
    const same = href && [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
    const again = same || follow(place, part);
    if (again) again.focus({ preventScroll: true });
  }
}

async function refresh(address, signal, force) {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, signal });
  if (answer.status === 401) return location.reload(); // the login has ended
  if (!answer.ok && answer.status !== 400) return say("off", "cannot be reached");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const fresh = page.getElementById(part.id);
    if (fresh && (force || !isInUse(part))) exchange(part, fresh);
  }
}

function say(state, text) {
  if (!live || (live.classList.contains(state) && live.textContent === text)) return;
  live.className = "live " + state;
  live.textContent = text;
}

// New things: one look at a time, and the next one as soon as it may be.
let last = 0;
let planned = 0;

function plan() {
  if (!planned) planned = setTimeout(look, Math.max(0, last + AGAIN_MS - Date.now()));
}

async function look() {
  last = Date.now();
  planned = 0;
  await refresh(location.href).catch(() => {});
}

function listen() {
  const source = new EventSource("/live?" + events.split(" ").map((name) => "event=" + name).join("&"));
  source.addEventListener("open", () => { say("on", "live"); plan(); });
  source.addEventListener("error", () => say("off", "reconnecting"));
  for (const name of events.split(" ")) source.addEventListener(name, plan);
}

// Searching while typing: a word that is not finished yet is looked for by its beginning.
let typed = 0;
let searching = null;

function addressOf(form, typing) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (!String(value).trim()) continue;
    const unfinished = typing && name === "text" && /[\p{L}\p{N}]$/u.test(value) && (value.split('"').length % 2);
    query.append(name, unfinished ? value + "*" : value);
  }
  return location.pathname + (query.size ? "?" + query : "");
}

async function search(form, typing) {
  clearTimeout(typed);
  if (searching) searching.abort();
  const mine = searching = new AbortController();
  const address = addressOf(form, typing);
  const results = document.getElementById("results");
  results.setAttribute("aria-busy", "true");
  history.replaceState(null, "", address);
  try {
    await refresh(address, mine.signal, true);
  } catch (error) {
    if (mine.signal.aborted) return;
    say("off", "cannot be reached");
  }
  if (mine === searching) results.removeAttribute("aria-busy");
}

function searchable(form) {
  let typing = false; // whether the words have changed since they were last sent as they are
  form.classList.add("scripted");
  form.addEventListener("input", (event) => {
    clearTimeout(typed);
    const words = event.target.name === "text";
    typing ||= words;
    typed = setTimeout(() => search(form, typing), words ? TYPING_MS : 0);
    name(event.target.closest("details"));
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); typing = false; search(form, false); });
  form.addEventListener("keydown", (event) => {
    const choice = event.key === "Escape" && event.target.closest("details[open]");
    if (choice) { choice.open = false; choice.querySelector("summary").focus(); }
  });
}

// A choice says what is chosen in it.
function name(choice) {
  if (!choice) return;
  const summary = choice.querySelector("summary");
  const chosen = [...choice.querySelectorAll("input:checked")].map((one) => one.parentElement.textContent.trim());
  const title = summary.firstChild.textContent.replace(/:?\s*$/, "");
  summary.replaceChildren(title);
  if (chosen.length) {
    const what = document.createElement("b");
    what.textContent = chosen.join(", ");
    summary.append(": ", what);
  }
}

document.addEventListener("click", (event) => {
  for (const choice of document.querySelectorAll(".choice[open]")) if (!choice.contains(event.target)) choice.open = false;
});
for (const part of document.querySelectorAll("[data-fresh]")) served.set(part.id, part.innerHTML);
localTimes(document);
for (const form of document.querySelectorAll("form[data-search]")) searchable(form);
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
if (events && live) listen();
