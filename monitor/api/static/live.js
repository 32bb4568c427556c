// Times in the reader's zone; lists that follow while their filters are changed; new things without a reload.
//
// All of it is made by the server: this script fetches the page again and exchanges the parts that are marked data-fresh. What the
// reader is just writing, has ticked or has opened stays as it is.
"use strict";

const AGAIN_MS = 100; // between two looks at what is new; the first of a row comes at once
const MOST = 4; // looks in a second
const SHORTEST_MS = 1000; // before the events are listened to again where that was refused; twice as long each time
const LONGEST_MS = 60000;
const TYPING_MS = 120;
const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const live = document.getElementById("live");
const newer = document.querySelector("[data-new]");
const { live: events, every, only } = document.body.dataset;
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

function linkTo(href, part) {
  return [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
}

// The first link that the reader sees of a part whose beginning is above the window: it is to stay where it is.
function held(part) {
  if (part.getBoundingClientRect().top >= 0) return null;
  const link = [...part.querySelectorAll("a[href]")].find((one) => one.getBoundingClientRect().top >= 0);
  const top = link ? link.getBoundingClientRect().top : innerHeight;
  return top < innerHeight ? [link.getAttribute("href"), top] : null;
}

function exchange(part, fresh) {
  if (served.get(part.id) === fresh.innerHTML) return;
  const html = fresh.innerHTML;
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const href = focused && focused.getAttribute("href");
  const place = focused && trail(focused, part);
  const open = [...part.querySelectorAll("details[open]")].map((one) => trail(one, part));
  const seen = held(part);
  localTimes(fresh);
  part.replaceChildren(...fresh.childNodes);
  served.set(part.id, html);
  for (const one of open) {
    const again = follow(one, part);
    if (again && again.matches("details")) again.open = true;
  }
  if (focused) {
    const again = (href && linkTo(href, part)) || follow(place, part);
    if (again) again.focus({ preventScroll: true });
  }
  const there = seen && linkTo(seen[0], part);
  if (there) scrollBy(0, there.getBoundingClientRect().top - seen[1]);
}

async function fetched(address, signal) {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, signal });
  if (answer.status === 401) location.reload(); // the login has ended
  else if (answer.ok || answer.status === 400) return new DOMParser().parseFromString(await answer.text(), "text/html");
  throw new Error(answer.status);
}

function exchangeAll(page, force) {
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const fresh = page.getElementById(part.id);
    if (fresh && (force || !isInUse(part))) exchange(part, fresh);
  }
}

let away = false; // whether the server did not answer when it was last asked

function say(unreachable = away) {
  away = unreachable;
  if (!live) return;
  const on = source && source.readyState === EventSource.OPEN && !away;
  const text = on ? "live" : away ? "cannot be reached" : events ? "reconnecting" : "";
  if (live.textContent === text) return;
  live.className = text ? "live " + (on ? "on" : "off") : "live";
  live.textContent = text;
}

// New things: one look at a time, at most a few a second, and fewer where the server takes its time.
const begun = []; // when the last looks began, the oldest first
let planned = 0;
let looking = false;
let pending = ""; // what is to be looked at next: the "page", or only what is "newer" than it
let free = 0; // when the server may be asked again

function plan(what = "page") {
  pending = pending === "page" ? pending : what;
  if (planned || looking || document.hidden) return;
  const least = Math.max(free, begun.length ? begun.at(-1) + AGAIN_MS : 0, begun.length === MOST ? begun[0] + 1000 : 0);
  planned = setTimeout(look, Math.max(0, least - performance.now()));
}

async function look() {
  const [what, address, start] = [pending, location.href, performance.now()];
  [planned, pending, looking] = [0, "", true];
  begun.push(start);
  if (begun.length > MOST) begun.shift();
  try {
    const page = what === "page" && (await fetched(address));
    if (page && location.href === address) exchangeAll(page); // else the reader has searched for something else meanwhile
    if (newer) countNewer(await fetched(newer.dataset.new));
    say(false);
  } catch {
    say(true);
  }
  looking = false;
  free = 2 * performance.now() - start;
  if (pending) plan(pending);
}

// How many things came since a page was opened that does not show them itself: those at the head of their list that were not there.
let before = null;

function countNewer(page) {
  const items = [...page.querySelectorAll("#results > ol > li, #results > table > tbody > tr")];
  const names = items.map((one) => one.id || one.querySelector("a").getAttribute("href"));
  before ||= new Set(names);
  const count = names.filter((one) => !before.has(one)).length;
  const more = count === names.length && page.querySelector("#results a[rel=next]") ? " or more" : "";
  const text = count + more + " " + (count === 1 && !more ? newer.dataset.one : newer.dataset.many);
  if (!count || newer.textContent === text) return;
  const link = document.createElement("a");
  link.href = newer.dataset.to;
  link.textContent = text;
  newer.replaceChildren(link);
}

// The events: a browser opens a connection anew that was lost, and none that was refused. A page that nobody sees lets go of its
// own, since over HTTP/1.1 a browser has six for all of its windows, and whatever else it asks for would wait.
let source = null;
let waiting = 0;
let wait = SHORTEST_MS;

function listen() {
  clearTimeout(waiting);
  if (!events || source || document.hidden) return;
  source = new EventSource("/live?" + events);
  source.addEventListener("open", () => { wait = SHORTEST_MS; say(false); plan(); });
  source.addEventListener("error", refused);
  for (const name of ["mention", "alert", "claim", "change", "gap"]) source.addEventListener(name, heard);
}

function refused() {
  if (source && source.readyState === EventSource.CLOSED) {
    source = null;
    waiting = setTimeout(() => { listen(); plan(); }, wait * (1 + Math.random() / 4));
    wait = Math.min(2 * wait, LONGEST_MS);
  }
  say();
}

function heard(event) {
  const ofAnother = only && event.type === "mention" && JSON.parse(event.data).id !== only;
  plan(ofAnother ? "newer" : "page");
}

function letGo() {
  clearTimeout(waiting);
  clearTimeout(planned);
  planned = 0;
  if (source) source.close();
  source = null;
}

function resume() {
  listen();
  if (events) plan();
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
    exchangeAll(await fetched(address, mine.signal), true);
    say(false);
  } catch {
    if (mine.signal.aborted) return;
    say(true);
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
  for (const day of choice.querySelectorAll("input[type=date]")) if (day.value) chosen.push(day.name + " " + day.value);
  const title = summary.firstChild.textContent.replace(/:?\s*$/, "");
  summary.replaceChildren(title);
  if (chosen.length) {
    const what = document.createElement("b");
    what.textContent = chosen.join(", ");
    summary.append(": ", what);
  }
}

// A list of choices that would stand out of the window opens to the other side.
document.addEventListener("toggle", (event) => {
  const list = event.target.matches(".choice[open]") && event.target.querySelector("fieldset");
  if (!list) return;
  list.classList.remove("leftward");
  list.classList.toggle("leftward", list.getBoundingClientRect().right > document.documentElement.clientWidth);
}, true);
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
document.addEventListener("visibilitychange", () => (document.hidden ? letGo() : resume()));
addEventListener("pagehide", letGo);
addEventListener("pageshow", (event) => { if (event.persisted) resume(); });
if (every) setInterval(plan, Number(every) * 1000);
listen();
