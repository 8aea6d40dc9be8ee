"use strict";
// The live page: asks the control HTTP once a second, and shows what it says. No library, nothing from elsewhere.

const SECONDS_SHOWN = 120;
const MESSAGES_SHOWN = 30;
const ALL = encodeURIComponent;

const $ = (id) => document.getElementById(id);
let chosen = "main"; // the SMSC that is shown
let before = null; // the counts of the last look, with their time
let rates = []; // {submits, receipts} a second, oldest first

async function ask(path, options = {}) {
  const separator = path.includes("?") ? "&" : "?";
  const response = await fetch(`${path}${separator}smsc=${ALL(chosen)}`, options);
  const body = await response.text();
  if (!response.ok) {
    let reason = `${response.status} ${response.statusText}`;
    try { reason = JSON.parse(body).error ?? reason; } catch { /* it is no JSON */ }
    throw new Error(reason);
  }
  return body;
}

const post = (path, body = "") => ask(path, { method: "POST", body });

// Every action says in the header what went wrong with it, until the next one.
async function attempt(action) {
  $("error").textContent = "";
  try {
    return await action();
  } catch (error) {
    $("error").textContent = error instanceof TypeError ? "the simulator does not answer" : error.message;
    return null;
  }
}

// --- the scenario: what is asked for as a whole, with one thing changed

let changes = Promise.resolve(); // one after the other: each begins with what the one before it has made

function change(alter) {
  changes = changes.then(async () => {
    await attempt(async () => {
      const scenario = JSON.parse(await ask("/scenario"));
      alter(scenario);
      await post("/scenario", JSON.stringify(scenario));
    });
    await look();
  });
}

// --- drawing

function cell(text, className = "") {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}

function fill(id, rows) {
  $(id).replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  }));
}

const milliseconds = (seconds) => `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 0)} ms`;
const rounded = (rate) => (rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en"));
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);

function duration(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

function showRates(at, counts) {
  const now = {
    at, submits: counts.submitted, refused: sum(counts.refused),
    receipts: sum(counts.deliveries) + (counts.delivery_results["sent again"] ?? 0),
  };
  const passed = before === null ? 0 : now.at - before.at;
  if (passed > 0) {
    const rate = (name) => Math.max(0, now[name] - before[name]) / passed; // a reset makes less of it
    $("submits-rate").textContent = rounded(rate("submits"));
    $("refused-rate").textContent = rounded(rate("refused"));
    $("receipts-rate").textContent = rounded(rate("receipts"));
    rates.push({ submits: rate("submits"), receipts: rate("receipts") });
    rates = rates.slice(-SECONDS_SHOWN);
  }
  before = now;
  const peak = Math.max(1, ...rates.flatMap((each) => [each.submits, each.receipts]));
  $("peak").textContent = rounded(peak);
  for (const name of ["submits", "receipts"]) {
    const points = rates.map((each, index) => {
      const x = 600 - (rates.length - 1 - index) * (600 / (SECONDS_SHOWN - 1));
      return `${x.toFixed(1)},${(86 - 80 * each[name] / peak).toFixed(1)}`;
    });
    document.querySelector(`#chart .${name}`).setAttribute("points", points.join(" "));
  }
}

function showFaults(smsc) {
  const table = $("faults");
  for (const [name, share] of Object.entries(smsc.faults)) {
    let row = document.getElementById(`fault-${name}`);
    if (row === null) {
      row = table.insertRow();
      row.id = `fault-${name}`;
      row.innerHTML = '<td><input type="checkbox"></td><td><input class="share" type="number" min="0" max="1" step="any" value="0.05"></td><td></td><td></td>';
      row.cells[2].textContent = name;
      const [box, number] = row.querySelectorAll("input");
      box.setAttribute("aria-label", name);
      number.setAttribute("aria-label", `share of ${name}`);
      const apply = () => {
        const wanted = box.checked ? Number(number.value) : 0; // as it is now: a look may draw it anew
        change((scenario) => {
          delete scenario.outcomes.faults[name];
          if (wanted) scenario.outcomes.faults[name] = wanted;
        });
      };
      box.addEventListener("change", apply);
      number.addEventListener("change", () => box.checked && apply());
    }
    const [box, number] = row.querySelectorAll("input");
    box.checked = share > 0;
    if (share > 0 && document.activeElement !== number) number.value = share;
    row.cells[3].textContent = smsc.counts.faults[name] ?? "";
  }
  $("silent").checked = smsc.silent;
  $("refuse").checked = smsc.binds_refused_with !== "";
  const chances = [];
  for (const [title, shares] of [["errors", smsc.errors], ["receipts", smsc.mix]]) {
    const each = Object.entries(shares).map(([name, share]) => `${name} ${share}`);
    if (each.length) chances.push(`${title}: ${each.join(", ")}`);
  }
  if (smsc.rules) chances.push(`rules: ${smsc.rules}`);
  $("chances").textContent = chances.join(" · ");
}

function showSmscs(smscs) {
  const select = $("smsc");
  if (select.options.length !== smscs.length) {
    select.replaceChildren(...smscs.map((each) => new Option(each.name, each.name)));
    select.hidden = smscs.length < 2;
    select.value = chosen;
  }
}

function says(line) {
  const part = line.part ? ` (${line.part.number} of ${line.part.total})` : "";
  return line.stat ? `${line.stat} ${line.taken_as}` : (line.text ?? line.message_id ?? "") + part;
}

function showMessages(lines) {
  fill("messages", lines.reverse().map((line) => [
    cell(line.n), cell(line.at.slice(11, 23)), cell(line.direction, line.direction), cell(line.bind), cell(line.command),
    cell(line.status.replace("ESME_ROK", "ok"), line.status === "ESME_ROK" ? "" : "bad"), cell(line.phone ?? ""), cell(says(line)),
  ]));
}

async function show() {
  const live = JSON.parse(await ask("/live"));
  showSmscs(live.smscs);
  const smsc = live.smscs.find((each) => each.name === chosen) ?? live.smscs[0];
  const counts = smsc.counts;
  $("address").textContent = smsc.address;
  $("state").textContent = smsc.silent ? "silent" : smsc.listening ? "up" : "down";
  $("state").className = `badge ${smsc.listening && !smsc.silent ? "up" : "down"}`;
  $("phase").hidden = smsc.phase === null;
  $("phase").textContent = smsc.phase ?? "";
  $("processed").textContent = counts.processed.toLocaleString("en");
  $("open").textContent = counts.deliveries_open.toLocaleString("en");
  $("waiting").textContent = counts.deliveries_waiting.toLocaleString("en");
  showRates(live.at, counts);
  fill("waits", Object.entries(smsc.waits).map(([what, each]) => [
    cell(what === "submit_sm" ? "submit_sm, by the simulator" : "deliver_sm, by its clients"), cell(each.count),
    ...[each.p50, each.p90, each.p99].map((seconds) => cell(each.count ? milliseconds(seconds) : "")),
  ]));
  fill("binds", smsc.binds.map((bind) => [
    cell(bind.name), cell(bind.mode ?? ""), cell(bind.state, bind.state === "up" ? "up" : "bad"),
    cell(duration(bind.seconds)), cell(bind.submits.toLocaleString("en")), cell(bind.unanswered),
  ]));
  showFaults(smsc);
  const journal = await ask(`/journal?text=1&last=${MESSAGES_SHOWN}`);
  showMessages(journal.split("\n").filter(Boolean).map((line) => JSON.parse(line)));
}

async function look() {
  try {
    await show();
  } catch {
    $("state").textContent = "does not answer";
    $("state").className = "badge down";
  }
}

// --- what can be done

for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", async () => {
    await attempt(() => post(button.dataset.post, button.dataset.body));
    await look();
  });
}
$("silent").addEventListener("change", (event) => {
  const wanted = event.target.checked;
  change((scenario) => { scenario.wire.silent = wanted; });
});
$("refuse").addEventListener("change", (event) => {
  const wanted = event.target.checked ? "ESME_RSYSERR" : "";
  change((scenario) => { scenario.binds.refuse_with = wanted; });
});
$("behave").addEventListener("click", async () => {
  await attempt(() => post("/scenario", $("scenario").value));
  await look();
});
$("as-at-start").addEventListener("click", async () => {
  await attempt(() => post("/scenario"));
  await look();
});
$("inbound").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("sent").textContent = "";
  const message = Object.fromEntries(new FormData(event.target));
  const answer = await attempt(() => post("/inbound", JSON.stringify(message)));
  if (answer !== null) $("sent").textContent = `sent in ${JSON.parse(answer).parts} part(s)`;
  await look();
});
$("smsc").addEventListener("change", (event) => {
  [chosen, before, rates] = [event.target.value, null, []];
  look();
});

async function lookForEver() {
  if (!document.hidden) await look();
  setTimeout(lookForEver, 1000);
}
lookForEver();
