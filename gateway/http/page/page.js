"use strict";
// The operations page: asks the API with the operator's key, and shows what it says. No library, nothing from elsewhere.

const LOOK_MILLISECONDS = 2000;
const LISTS_EVERY = 5; // looks
const POINTS = 120;
const SHOWN = 10;
const KEY = "yizhan-key";
const LANGUAGE = "yizhan-language";

const $ = (id) => document.getElementById(id);
let language = sessionStorage.getItem(LANGUAGE) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
let before = null; // the look before this one
let rates = []; // {accepted, delivered} a second, oldest first
let looks = 0;
let failing = false; // whether the last look did

const word = (name) => WORDS[language][name] ?? name;
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);
const whole = (count) => count.toLocaleString(language);

// --- the API

async function ask(path, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}`, "Accept-Language": language };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 401) leave();
  throw new Error(answer.detail ?? String(response.status));
}

function complain(error) {
  $("error").textContent = error instanceof TypeError ? word("silent") : error.message;
  if (error instanceof TypeError) show(false);
}

// Every action says in the header what went wrong with it, until the next one.
async function attempt(action) {
  $("error").textContent = "";
  try {
    await action();
  } catch (error) {
    complain(error);
  }
}

// --- drawing: text only ever goes in as text

function make(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function row(...cells) {
  const made = make("tr");
  for (const cell of cells) {
    const data = cell instanceof Node ? make("td") : make("td", cell ?? "");
    if (cell instanceof Node) data.append(cell);
    made.append(data);
  }
  return made;
}

function button(name, action, question) {
  const made = make("button", word(name));
  made.dataset.action = name;
  made.addEventListener("click", async () => {
    if (question && !window.confirm(word(question))) return;
    await attempt(action);
    await look();
  });
  return made;
}

const clock = (at) => new Date(at).toLocaleString(language, { hour12: false });

function show(ready) {
  $("state").hidden = false;
  $("state").textContent = word(ready ? "ready" : "notReady");
  $("state").className = `badge ${ready ? "good" : "bad"}`;
}

function drawFigures(now) {
  show(now.ready);
  const hours = (now.uptime_seconds / 3600).toFixed(1);
  const free = now.disk_free_bytes === null ? "?" : (now.disk_free_bytes / 2 ** 30).toFixed(1);
  $("facts").textContent = `${now.version} · ${word("up")} ${hours} h · ${free} GiB ${word("free")}`;
  $("queued").textContent = whole(sum(now.queued));
  $("open-messages").textContent = whole(now.open);
  const ended = sum(now.finished);
  $("delivery").textContent = ended ? `${((100 * (now.finished.delivered ?? 0)) / ended).toFixed(1)} %` : "–";
  const seconds = before === null ? 0 : now.uptime_seconds - before.uptime_seconds;
  if (seconds <= 0) return; // the first look, or the gateway was started anew
  const rate = (read) => Math.max(0, read(now) - read(before)) / seconds;
  const accepted = rate((look) => look.accepted);
  const delivered = rate((look) => look.finished.delivered ?? 0);
  $("accepted-rate").textContent = whole(Math.round(accepted));
  $("submitted-rate").textContent = whole(Math.round(rate((look) => sum(look.submits))));
  $("delivered-rate").textContent = whole(Math.round(delivered));
  rates = [...rates, { accepted, delivered }].slice(-POINTS);
  drawChart();
}

function drawChart() {
  const peak = Math.max(1, ...rates.flatMap((each) => [each.accepted, each.delivered]));
  $("peak").textContent = whole(Math.round(peak));
  for (const name of ["accepted", "delivered"]) {
    const points = rates.map((each, n) => {
      const x = (600 * (POINTS - rates.length + n)) / (POINTS - 1);
      return `${x.toFixed(1)},${(87 - (84 * each[name]) / peak).toFixed(1)}`;
    });
    document.querySelector(`#chart .${name}`).setAttribute("points", points.join(" "));
  }
}

function drawQueues(now) {
  const queues = Object.entries(now.queued);
  $("queues").replaceChildren(
    ...queues.map(([name, count]) => row(name, whole(count), (now.oldest_queued_seconds[name] ?? 0).toFixed(1))));
  const waits = Object.entries({ ...now.waiting, overdue: now.receipts_overdue, callbacks: now.callbacks_waiting });
  $("waits").replaceChildren(...waits.map(([name, count]) => row(word(name), whole(count))));
  const reasons = Object.entries(now.refused).sort((one, other) => other[1] - one[1]);
  $("reasons").replaceChildren(...(reasons.length ? reasons.map(([code, count]) => row(code, whole(count))) : [row(word("none"))]));
}

function drawCarriers(carriers) {
  const rows = carriers.map((carrier) => {
    const path = `/v1/carriers/${encodeURIComponent(carrier.name)}`;
    const paused = carrier.state === "paused";
    const action = paused ? "resume" : "pause";
    const act = button(action, () => ask(`${path}/${action}`, { method: "POST" }), paused ? "" : "askPause");
    const binds = make("span");
    for (const bind of carrier.binds) {
      const shown = make("span", `${bind.name} ${bind.in_use}/${bind.window}`, `badge ${bind.state === "bound" ? "good" : "bad"}`);
      shown.title = [bind.state, clock(bind.since), bind.error].filter(Boolean).join(" · ");
      const again = () => ask(`/v1/binds/${encodeURIComponent(bind.name)}/rebind`, { method: "POST" });
      binds.append(shown, button("rebind", again, "askRebind"), " ");
    }
    const state = make("span", carrier.state, `badge ${carrier.state === "up" ? "good" : "bad"}`);
    return row(carrier.name, state, whole(Math.round(carrier.rate)), whole(carrier.queued), binds, act);
  });
  $("carriers").replaceChildren(...rows);
}

function drawRefusals(refusals) {
  const rows = refusals.map((each) => row(clock(each.at), each.to, each.account, [each.code, each.rule].filter(Boolean).join(": ")));
  $("refusals").replaceChildren(...(rows.length ? rows : [row(word("none"))]));
}

function why(message) {
  const errors = message.parts.flatMap((part) => part.attempts.map((attempt) => attempt.error));
  return [message.timeline.at(-1)?.reason, ...errors].filter(Boolean).at(0) ?? "";
}

function drawFailures(messages) {
  const rows = messages.map((each) =>
    row(clock(each.timeline.at(-1).at), each.id, each.to, each.account, each.parts.at(0)?.attempts.at(-1)?.carrier ?? "", why(each)));
  $("failures").replaceChildren(...(rows.length ? rows : [row(word("none"))]));
}

// One message as it can be opened: its text, its timeline, every attempt of its parts.
function story(message, open) {
  const made = make("details");
  made.open = open;
  made.append(make("summary", `${message.id} · ${message.to} · ${message.status} · ${clock(message.timeline[0].at)}`));
  made.append(make("p", message.text));
  const table = make("table");
  for (const entry of message.timeline) table.append(row(clock(entry.at), entry.status, entry.reason));
  const attempts = make("table");
  for (const part of message.parts) {
    for (const attempt of part.attempts) {
      const status = attempt.command_status === null ? word("noAnswer") : `0x${attempt.command_status.toString(16).padStart(8, "0")}`;
      attempts.append(
        row(`${word("parts")} ${part.n}`, part.status, attempt.carrier, attempt.bind, attempt.carrier_message_id, status, attempt.error, clock(attempt.at)));
    }
  }
  made.append(table, attempts);
  return made;
}

// --- looking

async function look() {
  try {
    const [now, { carriers }] = await Promise.all([ask("/v1/status"), ask("/v1/carriers")]);
    drawFigures(now);
    drawQueues(now);
    drawCarriers(carriers);
    before = now;
    if (looks++ % LISTS_EVERY === 0) await lists();
    if (failing) $("error").textContent = ""; // what an action said stays
    failing = false;
  } catch (error) {
    failing = true;
    complain(error);
  }
}

async function lists() {
  const [{ refusals }, { messages }] = await Promise.all([
    ask(`/v1/refusals?limit=${SHOWN}`),
    ask("/v1/messages/search", { method: "POST", body: { status: "failed", limit: SHOWN } }),
  ]);
  drawRefusals(refusals);
  drawFailures(messages);
}

async function keepLooking() {
  while (sessionStorage.getItem(KEY) !== null) {
    if (!document.hidden) await look();
    await new Promise((done) => setTimeout(done, LOOK_MILLISECONDS));
  }
}

// --- what the operator does

async function find() {
  const wanted = $("wanted").value.trim();
  let messages;
  let refusals = [];
  if (/^[1-9]\d{15,18}$/.test(wanted)) {
    messages = [await ask(`/v1/messages/${wanted}`)];
  } else {
    const since = new Date(Date.now() - Number($("days").value) * 86_400_000).toISOString();
    const body = { to: wanted, since, limit: 50 };
    ({ messages } = await ask("/v1/messages/search", { method: "POST", body }));
    // Refusals are known by masked numbers: another number that looks the same may be among them.
    ({ refusals } = await ask("/v1/refusals/search", { method: "POST", body: { to: wanted } }));
  }
  const rows = make("table");
  for (const each of refusals) rows.append(row(clock(each.at), each.to, word("refused"), each.code, each.rule, each.account, each.client_ref));
  $("found").replaceChildren(...messages.map((each) => story(each, messages.length === 1)), rows);
  $("found-none").hidden = messages.length + refusals.length > 0;
}

async function explain() {
  const body = { to: $("try-to").value, text: $("try-text").value, category: $("try-category").value };
  const said = await ask("/v1/explain", { method: "POST", body });
  $("verdict").textContent = said.verdict;
  $("verdict").className = said.verdict === "accept" ? "good" : "bad";
  $("coding").textContent = `${said.coding} · ${said.parts} ${word("partsOf")} · ${said.text}`;
  $("stages").replaceChildren(...said.stages.map((stage) => row(stage.stage, stage.verdict, stage.code, stage.detail)));
  $("routes").replaceChildren(
    ...said.routes.map((route) => row(route.rank ?? "–", route.carrier, route.usable ? word("usable") : "", route.reason)));
  $("explained").hidden = false;
}

function on(form, action) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(action);
  });
}

function speak() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  $("language").textContent = language === "zh" ? "English" : "中文";
  $("language").lang = language === "zh" ? "en" : "zh-CN";
}

function arrive() {
  $("enter").hidden = true;
  $("board").hidden = false;
  $("leave").hidden = false;
  keepLooking();
}

function leave() {
  sessionStorage.removeItem(KEY);
  before = null;
  rates = [];
  looks = 0;
  for (const id of ["found", "failures", "refusals", "carriers"]) $(id).replaceChildren();
  $("explained").hidden = true;
  $("board").hidden = true;
  $("leave").hidden = true;
  $("enter").hidden = false;
}

on("search", find);
on("try", explain);
on("enter", async () => {
  sessionStorage.setItem(KEY, $("key").value);
  $("key").value = "";
  await ask("/v1/status").catch((error) => {
    leave();
    throw error;
  });
  arrive();
});
$("leave").addEventListener("click", leave);
$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  sessionStorage.setItem(LANGUAGE, language);
  speak();
  looks = 0; // what is in tables is drawn anew, in the other language
});
speak();
if (sessionStorage.getItem(KEY) !== null) arrive();
