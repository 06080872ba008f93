"use strict";
// What is long is packed in the page as compressed JSON and unpacked when it is looked at. Every
// text is added as a text node; only the tables and drawings of paths are HTML, escaped by Jinja.
(() => {
  const PAGE = 50, PRINTED = 300, PRELOADED = 20;
  const byId = (id) => document.getElementById(id);
  const meta = JSON.parse(byId("meta").textContent);
  const at = Object.fromEntries(meta.fields.map((field, number) => [field, number]));
  const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const nameOf = (id) => (meta.names[id] ? `${meta.names[id]} (${id})` : id);
  const named = (kind, id) => el("span", { class: kind }, meta.names[id] ? [meta.names[id], el("small", {}, id)] : id);
  const timeOf = (iso) => (iso ? `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` : "");

  const unpacked = new Map();
  function unpack(name) {
    if (!unpacked.has(name)) {
      const bytes = Uint8Array.from(atob(byId(`pack-${name}`).textContent), (each) => each.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      unpacked.set(name, new Response(stream).json().then((value) => { ready.set(name, value); return value; }));
    }
    return unpacked.get(name);
  }
  const ready = new Map();
  // Of the chunks of details, those that are printed and the last few that were used are kept.
  function forget() {
    const first = Math.ceil(PRINTED / meta.chunk);
    const chunks = [...ready.keys()].filter((name) => name.startsWith("details-") && Number(name.slice(8)) >= first);
    for (const name of chunks.slice(0, Math.max(0, chunks.length - PRELOADED))) { ready.delete(name); unpacked.delete(name); }
  }
  const chunkOf = (number) => `details-${Math.floor(number / meta.chunk)}`;
  const detailNow = (number) => ready.get(chunkOf(number))?.[number % meta.chunk];

  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) if (value !== undefined) made.setAttribute(name, value);
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }
  const badge = (kind, text) => el("span", { class: `badge ${kind}` }, text);
  const pairs = (kind, entries) => el("dl", { class: kind }, entries.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));

  // A list of <details> that shows one page of the items that pass a filter.
  function makeList({ root, pager, size, open, row }) {
    const list = { items: [], page: 0 };
    list.entry = (item) => {
      const entry = row(item);
      entry.addEventListener("toggle", () => { if (entry.open) fill(entry, item); });
      return entry;
    };
    const fill = async (entry, item) => {
      if (entry.dataset.filled) return;
      entry.dataset.filled = "yes";
      entry.append(await open(item));
    };
    // Open an entry at once, if what it shows is unpacked.
    list.openNow = (entry, item, now) => {
      const body = entry.dataset.filled || now(item);
      if (!body) return false;
      if (!entry.dataset.filled) { entry.dataset.filled = "yes"; entry.append(body); }
      entry.open = true;
      return true;
    };
    list.show = (page) => {
      list.page = Math.max(0, Math.min(page, Math.ceil(list.items.length / size) - 1));
      const start = list.page * size, end = Math.min(start + size, list.items.length);
      root.replaceChildren(...list.items.slice(start, end).map(list.entry));
      const turn = (text, by, disabled) => {
        const button = el("button", { type: "button", disabled: disabled ? "" : undefined }, text);
        button.addEventListener("click", () => { list.show(list.page + by); root.scrollIntoView({ block: "nearest" }); root.querySelector("summary")?.focus({ preventScroll: true }); });
        return button;
      };
      const several = list.items.length > size;
      pager.replaceChildren(...(several ? [turn("Previous", -1, start === 0), el("span", { role: "status" }, `${(start + 1).toLocaleString("en")} to ${end.toLocaleString("en")} of ${list.items.length.toLocaleString("en")}`), turn("Next", 1, end === list.items.length)] : []));
    };
    return list;
  }

  // One Region is chosen for the whole page, or none: by its row, or by the filter of the findings.
  let region = "";
  const followers = [];
  function chooseRegion(name) {
    region = name;
    for (const each of document.querySelectorAll("#regions button")) each.setAttribute("aria-pressed", String(each.dataset.region === region));
    for (const each of document.querySelectorAll("#places tr[data-region]")) each.hidden = Boolean(region) && each.dataset.region !== region;
    for (const follow of followers) follow();
  }
  for (const each of document.querySelectorAll("#regions button")) each.addEventListener("click", () => chooseRegion(each.dataset.region));

  async function showFindings() {
    const form = byId("filters");
    if (!form) return;
    const rows = await unpack("findings");
    const all = rows.map((_, number) => number);
    const search = byId("search"), sort = byId("sort"), shown = byId("shown"), none = byId("none");
    const texts = [];
    const textOf = (number) => (texts[number] ??= [...rows[number], meta.names[rows[number][at.subject]], meta.names[rows[number][at.account]]].join(" ").toLowerCase());
    const value = (number, field) => rows[number][at[field]];

    function ageOf(number) {
      const end = ["resolved", "transient"].includes(value(number, "status")) ? value(number, "updated") : meta.until;
      const minutes = Math.max(0, Math.floor((Date.parse(end) - Date.parse(value(number, "opened"))) / 60000));
      for (const [length, unit] of [[1440, "day"], [60, "hour"]]) if (minutes >= length) return plural(Math.floor(minutes / length), unit);
      return `${minutes} min`;
    }

    function row(number) {
      const get = (field) => value(number, field);
      const status = get("status");
      return el("details", { class: "finding", id: get("id"), "data-severity": get("severity"), "data-status": status },
        el("summary", {},
          badge(get("severity"), get("severity")),
          el("span", { class: "title" }, get("title"), status === "open" ? "" : " ", status === "open" ? "" : badge(status, status)),
          el("code", { class: "resource" }, get("resource")),
          named("where", get("subject")),
          el("span", { class: "age" }, ageOf(number))));
    }

    function body(number, detail) {
      const { record } = detail;
      const rationale = meta.rationales[record.rule];
      const fix = record.remediation;
      const evidence = record.evidence.map((fact) => el("li", {}, fact.text, Object.keys(fact.record || {}).length ? pairs("facts-of", Object.entries(fact.record)) : ""));
      const who = [];
      const tell = (label, time, attribution) => {
        who.push([label, timeOf(time)]);
        const causes = attribution.cause ? [attribution.cause] : attribution.candidates;
        if (causes.length !== 1) who.push(["By", causes.length ? `one of ${causes.length} possible causes` : "unknown"]);
        for (const cause of causes) {
          who.push([attribution.cause ? "By" : "Possibly", cause.actor ? `${cause.actor}${cause.identity ? ` (${cause.identity})` : ""}` : cause.event_name || cause.kind]);
          if (cause.actor) who.push(["Event", `${cause.event_name}, ${timeOf(cause.time)}`]);
          const from = `${cause.source_ip} ${cause.user_agent}`.trim();
          if (from) who.push(["From", from]);
          if (cause.event_id) who.push(["Event id", el("code", {}, cause.event_id)]);
        }
      };
      tell("Opened", record.opened_at, record.opened_by);
      if (record.resolved_by) tell("Resolved", record.updated_at, record.resolved_by);
      who.push(["Account", nameOf(record.account)], ["Region", record.region], ["Scope", nameOf(value(number, "subject"))], ["Rule", el("code", {}, record.rule)], ["Finding", el("code", {}, record.id)]);
      return el("div", { class: "body" },
        el("p", { class: "sentence" }, record.summary),
        el("div", { class: "columns" },
          el("div", {},
            el("h4", {}, "Evidence"),
            el("ul", { class: "evidence" }, evidence.length ? evidence : el("li", {}, "No further evidence.")),
            fix ? [el("h4", {}, "Remediation"), el("p", {}, fix.text), fix.command ? el("pre", { tabindex: "0" }, el("code", {}, fix.command)) : "", fix.verified ? el("p", { class: "verified" }, `Verified: ${fix.verified}`) : ""] : [],
            rationale ? [el("h4", {}, "Why it matters"), el("p", {}, rationale)] : []),
          el("div", {},
            el("h4", {}, "Who and when"), pairs("who", who),
            detail.controls.length ? [el("h4", {}, "Supports controls"), el("ul", { class: "tags" }, detail.controls.map((each) => el("li", {}, each)))] : [],
            detail.steps.length ? [el("h4", {}, "History"), el("ol", { class: "life" }, detail.steps.map(([time, step, reason, by]) => el("li", {}, el("time", {}, timeOf(time)), ` ${step}${by ? ` by ${by}` : ""}${reason ? `: ${reason}` : ""}`)))] : [])));
    }

    const list = makeList({
      root: byId("list"), pager: byId("pager"), size: PAGE, row,
      open: async (number) => { const chunk = await unpack(chunkOf(number)); forget(); return body(number, chunk[number % meta.chunk]); },
    });
    const bodyNow = (number) => { const detail = detailNow(number); return detail && body(number, detail); };

    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const severities = new Set([...form.querySelectorAll("[name=severity]:checked")].map((box) => box.value));
      const chosen = [...form.querySelectorAll("select[name]")].filter((select) => select.value);
      list.items = all.filter((number) =>
        (!severities.size || severities.has(value(number, "severity"))) &&
        (!region || value(number, "region") === region) &&
        chosen.every((select) => value(number, select.name) === select.value) &&
        words.every((word) => textOf(number).includes(word)));
      const field = sort.value.replace("-", ""), sign = sort.value.startsWith("-") ? -1 : 1;
      if (field) list.items.sort((a, b) => { const x = value(a, field), y = value(b, field); return x === y ? a - b : sign * (x < y ? -1 : 1); });
      shown.textContent = list.items.length === all.length ? plural(all.length, "finding") : `${list.items.length.toLocaleString("en")} of ${plural(all.length, "finding")}`;
      none.hidden = list.items.length > 0;
      list.show(0);
      byId("expand").textContent = "Expand page";
    }

    async function details(numbers, use) {
      for (const number of numbers) { const chunk = await unpack(chunkOf(number)); use(chunk[number % meta.chunk]); forget(); }
    }
    function save(parts, type, name) {
      const link = el("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    }
    const stamp = meta.until.slice(0, 10);
    async function download(button, work) {
      const text = button.textContent;
      button.disabled = true; button.textContent = "Preparing …";
      try { await work(); } finally { button.disabled = false; button.textContent = text; }
    }

    form.addEventListener("input", (event) => (event.target.name === "region" ? chooseRegion(event.target.value) : filter()));
    followers.push(() => { if (form.elements.region) form.elements.region.value = region; filter(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    byId("clear").addEventListener("click", () => { form.reset(); chooseRegion(""); });
    byId("expand").addEventListener("click", (event) => {
      const entries = [...byId("list").children];
      const open = entries.some((entry) => !entry.open);
      for (const entry of entries) entry.open = open;
      event.target.textContent = open ? "Collapse page" : "Expand page";
    });
    byId("csv").addEventListener("click", (event) => download(event.target, async () => {
      const lines = [meta.csv];
      await details(list.items, (detail) => lines.push(detail.csv));
      save(lines, "text/csv", `findings-${stamp}.csv`);
    }));
    byId("json").addEventListener("click", (event) => download(event.target, async () => {
      const parts = [];
      await details(list.items, (detail) => parts.push(parts.length ? ",\n" : "[\n", JSON.stringify(detail.record)));
      save([...(parts.length ? parts : ["["]), "\n]\n"], "application/json", `findings-${stamp}.json`);
    }));

    // In print, what passes the filters is listed, and expanded where its details are unpacked.
    let before = null;
    const prepare = () => {
      if (before !== null) return;
      before = list.page;
      const printed = list.items.slice(0, PRINTED);
      const entries = printed.map(list.entry);
      entries.forEach((entry, place) => list.openNow(entry, printed[place], bodyNow));
      byId("list").replaceChildren(...entries);
      const left = list.items.length - printed.length;
      byId("printed").textContent = `The first ${PRINTED} of ${plural(list.items.length, "finding")} are printed. Filter the page, or download all of them as CSV or JSON.`;
      byId("printed").hidden = left === 0;
    };
    addEventListener("beforeprint", prepare);
    addEventListener("afterprint", () => { byId("printed").hidden = true; list.show(before ?? 0); before = null; });
    byId("print").addEventListener("click", (event) => download(event.target, async () => {
      const names = new Set(list.items.slice(0, PRINTED).map(chunkOf));
      for (const name of names) await unpack(name);
    }).then(() => print()));

    // A link to a finding opens it.
    const reveal = () => {
      const place = list.items.findIndex((number) => `#${value(number, "id")}` === location.hash);
      if (place < 0) return;
      list.show(Math.floor(place / PAGE));
      const entry = byId(location.hash.slice(1));
      entry.open = true;
      entry.scrollIntoView();
    };
    addEventListener("hashchange", reveal);
    filter();
    reveal();
    for (let start = 0; start < Math.min(rows.length, PRINTED); start += meta.chunk) await unpack(chunkOf(start));
  }

  let folded = [];
  addEventListener("beforeprint", () => { folded = [...document.querySelectorAll(".rules details:not([open])")]; for (const each of folded) each.open = true; });
  addEventListener("afterprint", () => { for (const each of folded) each.open = false; });

  async function showNetworks() {
    const root = byId("networks");
    if (!root) return;
    const rows = await unpack("networks");
    const private_ = meta.colours.indexOf("good"), idle = meta.colours.indexOf("idle");
    const share = (counts) => {
      const paths = counts.reduce((sum, each) => sum + each, 0) - counts[idle];
      return paths ? `${counts[private_].toLocaleString("en")} of ${plural(paths, "path")} private` : "no paths";
    };
    const bar = (counts) => el("span", { class: "bar", "aria-hidden": "true" }, counts.map((count, number) => {
      const part = count ? el("i", { class: meta.colours[number] }) : "";
      if (part) part.style.flexGrow = count;
      return part;
    }));
    const row = (number) => {
      const [subject, name, account, region, observed, counts] = rows[number];
      return el("details", { class: "finding network", id: `paths-${subject}` },
        el("summary", {}, bar(counts), el("span", { class: "title" }, name || subject, name ? el("small", {}, ` ${subject}`) : ""), el("span", { class: "where" }, `${nameOf(account)} · ${region}`), el("span", { class: "share" }, share(counts)), el("span", { class: "age" }, `observed ${timeOf(observed)}`)));
    };
    const build = (html) => {
      const template = el("template");
      template.innerHTML = html; // escaped by Jinja when the report was written
      return el("div", { class: "body" }, template.content);
    };
    const list = makeList({ root, pager: byId("network-pager"), size: PAGE, row, open: async (number) => build(await unpack(`network-${number}`)) });
    const texts = rows.map((each) => [...each.slice(0, 4), meta.names[each[2]]].join(" ").toLowerCase());
    const search = byId("network-search");
    const filter = () => {
      const words = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      list.items = rows.map((_, number) => number).filter((number) => (!region || rows[number][3] === region) && words.every((word) => texts[number].includes(word)));
      if (search) byId("network-shown").textContent = list.items.length === rows.length ? plural(rows.length, "VPC") : `${list.items.length} of ${plural(rows.length, "VPC")}`;
      list.show(0);
    };
    search?.addEventListener("input", filter);
    followers.push(filter);
    search?.form.addEventListener("submit", (event) => event.preventDefault());
    filter();
    for (const entry of [...root.children].slice(0, 3)) entry.open = rows.length <= 3;
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = [...root.children].filter((entry) => !entry.open);
      closed = closed.filter((entry) => list.openNow(entry, list.items[list.page * PAGE + [...root.children].indexOf(entry)], (number) => {
        const html = ready.get(`network-${number}`);
        return html && build(html);
      }));
    });
    addEventListener("afterprint", () => { for (const entry of closed) entry.open = false; });
    for (let number = 0; number < Math.min(rows.length, PRELOADED); number += 1) await unpack(`network-${number}`);
  }

  Promise.all([showFindings(), showNetworks()]).then(() => { document.body.dataset.ready = "yes"; });
})();
