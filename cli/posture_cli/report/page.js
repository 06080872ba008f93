"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const findings = [...document.querySelectorAll(".finding")];
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const texts = new Map();
  const textOf = (finding) => {
    if (!texts.has(finding)) texts.set(finding, finding.textContent.toLowerCase());
    return texts.get(finding);
  };
  const plural = (number) => `${number} ${number === 1 ? "finding" : "findings"}`;

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set([...form.querySelectorAll("[name=severity]:checked")].map((box) => box.value));
    const chosen = [...form.querySelectorAll("select")].filter((select) => select.value);
    let count = 0;
    for (const finding of findings) {
      const passes =
        (!severities.size || severities.has(finding.dataset.severity)) &&
        chosen.every((select) => finding.dataset[select.name] === select.value) &&
        words.every((word) => textOf(finding).includes(word));
      if (finding.hidden === passes) finding.hidden = !passes;
      count += passes;
    }
    shown.textContent = count === findings.length ? plural(count) : `${count} of ${plural(findings.length)}`;
    none.hidden = count > 0;
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => { form.reset(); filter(); });
  document.getElementById("expand").addEventListener("click", (event) => {
    const visible = findings.filter((finding) => !finding.hidden).slice(0, 500);
    const open = visible.some((finding) => !finding.open);
    for (const finding of visible) finding.open = open;
    event.target.textContent = open ? "Collapse all" : "Expand all shown";
  });
  // A link to a finding expands it; in print everything shown is expanded.
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.matches(".finding")) target.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  let collapsed = [];
  addEventListener("beforeprint", () => {
    collapsed = findings.filter((finding) => !finding.hidden && !finding.open);
    for (const finding of collapsed) finding.open = true;
  });
  addEventListener("afterprint", () => { for (const finding of collapsed) finding.open = false; });
})();
