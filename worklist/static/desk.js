// The list and the case by keyboard, live, without a reload.
"use strict";

const LIVE_MILLISECONDS = 4000;
const OPINIONS = { a: "agree", d: "disagree", u: "uncertain" };
const TOOLS = { h: "heat", i: "invert", r: "rotate", f: "flip", m: "measure", s: "side", 0: "fit", 1: "one" };

const find = (selector) => document.querySelector(selector);
const said = (sentence) => (find("#said").textContent = sentence);

// ---- the list

function selected() {
  return find('tr.case[aria-selected="true"]');
}

function select(row) {
  selected()?.removeAttribute("aria-selected");
  if (!row) return;
  row.setAttribute("aria-selected", "true");
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("a").focus({ preventScroll: true });
}

function stepInList(by) {
  const rows = [...document.querySelectorAll("tr.case")];
  const here = rows.indexOf(selected());
  const there = Math.min(rows.length - 1, Math.max(0, here + by));
  select(rows[here < 0 ? 0 : there]);
  if (rows.length && there > rows.length - 8) more();
}

const SIGNED_OUT = "You were signed out: NOTHING was noted. Sign in on another page, and try once more.";

async function ask(address, live) {
  const response = await fetch(address, { headers: live ? { "X-Live": "yes" } : {} });
  if (response.redirected && new URL(response.url).pathname === "/sign-in") {
    // What somebody has half written stays, until they have signed in elsewhere.
    if (find("#review")?.note.value) return said(SIGNED_OUT), null;
    location.assign("/sign-in");
  }
  if (response.status === 204 || !response.ok) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

let asking = false;

async function more() {
  const lines = find("#lines");
  if (asking || !lines?.dataset.next) return;
  asking = true;
  const next = lines.dataset.next;
  const found = await ask(`/lines?${lines.dataset.query}&after=${next}`).catch(() => null);
  asking = false;
  const page = found && tableOf(found);
  if (!page || find("#lines") !== lines) return;
  lines.append(...page.querySelectorAll("tr.case"));
  lines.dataset.next = page.dataset.next;
  lines.dataset.pages = "several";
}

// A parser drops a tbody that stands in no table, so the answer holds one.
function tableOf(page) {
  return page.querySelector("#lines");
}

async function renewList() {
  const lines = find("#lines");
  if (!lines) return;
  const found = await ask(`/lines?${lines.dataset.query}&seen=${lines.dataset.state}`, true).catch(() => null);
  const page = found && tableOf(found);
  if (!page || find("#lines") !== lines) return;
  const known = new Set([...lines.querySelectorAll("tr.case")].map((row) => row.dataset.uid));
  const uid = selected()?.dataset.uid;
  const hadFocus = lines.contains(document.activeElement);
  const arrived = [...page.querySelectorAll("tr.case")].filter((row) => !known.has(row.dataset.uid));
  arrived.forEach((row) => row.classList.add("arrived"));
  if (lines.dataset.pages) {
    // Further pages were fetched: they stay as they are until somebody goes back to the top.
    lines.dataset.state = page.dataset.state;
    find("#counts").replaceWith(found.querySelector("#counts"));
    return said(`The list has changed${arrived.length ? `, ${arrived.length} new` : ""}: reload to see it.`);
  }
  lines.replaceWith(page);
  find("#counts").replaceWith(found.querySelector("#counts"));
  const again = uid && page.querySelector(`tr[data-uid="${CSS.escape(uid)}"]`);
  if (again) again.setAttribute("aria-selected", "true");
  if (again && hadFocus) again.querySelector("a").focus({ preventScroll: true });
  if (arrived.length) said(`${arrived.length} new in this list`);
}

async function renewBatches() {
  const batches = find("#batches");
  if (!batches) return;
  const found = await ask("/nights/batches", true).catch(() => null);
  const renewed = found?.querySelector("#batches");
  if (renewed && find("#batches") === batches) batches.replaceChildren(...renewed.childNodes);
}

// ---- a case

const before = [];

function openCase(address) {
  return alone(async () => {
    const here = find("#case") && location.pathname + location.search;
    await go(address);
    if (here && location.pathname + location.search !== here) before.push(here);
  });
}

// One thing after the other: a key that comes while something is on its way is not taken.
let busy = false;

async function alone(act) {
  if (busy) return;
  busy = true;
  try {
    await act();
  } catch {
    said("That did not reach the desk: NOTHING was noted. Try once more.");
  } finally {
    busy = false;
  }
}

async function go(address) {
  await htmx.ajax("GET", address, { target: "body", swap: "innerHTML show:window:top" });
  const uid = decodeURIComponent(new URL(address, location.href).pathname.split("/").pop());
  if (find("#case")?.dataset.uid !== uid) return said("This case cannot be shown just now.");
  if (location.pathname + location.search !== address) history.pushState({}, "", address);
}

function review(opinion) {
  return alone(() => sendReview(opinion));
}

async function sendReview(opinion) {
  const form = find("#review");
  if (!form) return;
  const address = `/api/v1/studies/${encodeURIComponent(find("#case").dataset.uid)}/reviews`;
  const headers = { "X-Form-Secret": document.body.dataset.formSecret, "Content-Type": "application/json" };
  const stage = window.nightread.stage;
  const body = opinion && JSON.stringify({
    opinion,
    finding: form.finding.value || null,
    note: form.note.value,
    sop_instance_uid: form.this_image.checked ? stage.view.image.uid : null,
    revision: Number(find("#says").dataset.revision),
  });
  const response = opinion
    ? await fetch(address, { method: "POST", headers, body })
    : await fetch(`${address}/newest`, { method: "DELETE", headers });
  if (response.status === 401) return said(SIGNED_OUT);
  const answer = await response.json();
  if (!response.ok) {
    said(`NOT noted: ${answer.detail}.`);
    return renewCase();
  }
  form.reset();
  said(opinion ? `Noted: ${opinion}. z takes it back, j goes on.` : "Taken back.");
  await renewCase();
}

async function renewCase() {
  const page = find("#case");
  if (!page) return;
  const state = find("#reviews").dataset.state;
  const found = await ask(`/cases/${encodeURIComponent(page.dataset.uid)}/reviews?seen=${state}`, true).catch(() => null);
  if (!found || find("#case") !== page) return;
  for (const id of ["reviews", "says"]) find(`#${id}`).replaceWith(found.querySelector(`#${id}`));
}

// ---- keys

function inField(target) {
  return target.closest?.("input:not([type=checkbox]):not([type=range]), select:not([data-tool]), textarea, dialog[open]");
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || (event.repeat && !"jk".includes(event.key))) return;
  if (event.key === "Escape" && inField(event.target)) return event.target.blur();
  if (inField(event.target)) return;
  const act = find("#case") ? keyInCase(event.key) : keyInList(event.key);
  const any = act ?? { "?": () => find("#keys")?.showModal() }[event.key];
  if (!any) return;
  event.preventDefault();
  any();
}

function keyInList(key) {
  if (!find("#lines")) return null;
  return {
    j: () => stepInList(1),
    k: () => stepInList(-1),
    Enter: selected() && (() => openCase(selected().querySelector("a").getAttribute("href"))),
    "/": () => find('[name="text"]').focus(),
  }[key];
}

function keyInCase(key) {
  const stage = window.nightread.stage;
  if (key in OPINIONS) return () => review(OPINIONS[key]);
  if (key in TOOLS) return () => stage.use(TOOLS[key]);
  return {
    z: () => review(null),
    w: () => stage.nextWindow(),
    "[": () => stage.step(-1),
    "]": () => stage.step(1),
    j: () => find("#next-case") ? openCase(find("#next-case").getAttribute("href")) : said("This was the last of the list."),
    k: () => before.length ? alone(() => go(before.pop())) : said("This is where you began."),
    Escape: () => location.assign(find("#to-list").getAttribute("href")),
  }[key];
}

// ---- what a new page needs

function begin() {
  window.nightread.stage?.close();
  const page = find("#case");
  window.nightread.stage = page ? new window.nightread.Stage(page) : null;
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  const opinion = event.target.closest("[data-opinion]");
  if (opinion) return review(opinion.dataset.opinion || null);
  if (event.target.closest('[data-action="help"]')) return find("#keys").showModal();
  const link = event.target.closest("#next-case, .priors a, tr.case a");
  const row = event.target.closest("tr.case");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (!plain || !(link || row)) return;
  event.preventDefault();
  openCase((link ?? row.querySelector("a")).getAttribute("href"));
});
document.addEventListener("change", (event) => {
  // The keys are the case's again.
  if (event.target.matches("#review select, #review input")) event.target.blur();
});
document.addEventListener("submit", (event) => {
  if (event.target.id === "review") event.preventDefault();
});
addEventListener("popstate", () => location.reload());
addEventListener("scroll", () => {
  const left = document.documentElement.scrollHeight - innerHeight - scrollY;
  if (left < 600) more();
}, { passive: true });
document.body.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target === document.body) begin();
});
setInterval(() => {
  if (document.hidden) return;
  renewList();
  renewCase();
  renewBatches();
}, LIVE_MILLISECONDS);
begin();
