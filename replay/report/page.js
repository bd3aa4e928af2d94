"use strict";
// The filter, and opening the target of a link. The page is readable without this script.
(() => {
  const all = (selector, within) => Array.from((within || document).querySelectorAll(selector));
  const texts = new Map();
  const textOf = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };
  const form = document.getElementById("filter");
  const openUp = (element) => {
    for (let at = element; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
  };

  const sessions = all("section.session").map((element) => ({
    element,
    number: element.dataset.session,
    name: element.querySelector(".name").textContent.toLowerCase(),
    cards: all(".card", element).map((card) => ({
      element: card,
      findings: all(".finding", card),
    })),
    events: all("li.event", element),
    gaps: all("li.gap", element),
  }));

  const showSession = (session, wanted) => {
    let found = [];
    for (const card of session.cards) {
      for (const finding of card.findings) {
        const groups = finding.dataset.groups.split(" ");
        const fits = (!wanted.group || groups.includes(wanted.group)) &&
          (!wanted.severity || finding.dataset.severity === wanted.severity);
        if (fits) found.push({ card, finding });
      }
    }
    let events = session.events;
    if (wanted.text) {
      events = session.events.filter((event) => textOf(event).includes(wanted.text));
      const heads = (one) => all(":scope > :not(details)", one.card.element);
      const hits = found.filter((one) => textOf(one.finding).includes(wanted.text) ||
        heads(one).some((head) => textOf(head).includes(wanted.text)));
      const named = session.name.includes(wanted.text);
      if (!hits.length && !events.length && !named) found = [];
      if (hits.length) found = hits;
      if (!events.length) events = session.events;
      if (hits.length) hits.forEach((one) => { one.finding.open = true; });
    }
    const isShown = found.length > 0 && session.name.includes(wanted.session);
    session.element.hidden = !isShown;
    const kept = new Set(found.map((one) => one.finding));
    for (const card of session.cards) {
      for (const finding of card.findings) finding.hidden = !kept.has(finding);
      card.element.hidden = card.findings.every((finding) => finding.hidden);
    }
    const shown = new Set(events);
    for (const event of session.events) event.hidden = !shown.has(event);
    for (const gap of session.gaps) gap.hidden = events !== session.events;
    return isShown ? found.length : 0;
  };

  const showLine = (line, wanted, whole) => {
    const name = line.querySelector(".name").textContent.toLowerCase();
    const groups = line.dataset.groups.split(" ");
    const fits = (!wanted.severity || line.dataset.severities.includes(wanted.severity)) &&
      (!wanted.group || groups.includes(wanted.group)) && name.includes(wanted.session) &&
      (!wanted.text || textOf(line).includes(wanted.text) || whole.has(line.dataset.session));
    line.hidden = !fits;
    return fits;
  };

  const apply = () => {
    const given = new FormData(form);
    const value = (name) => String(given.get(name) || "").trim().toLowerCase();
    const wanted = {
      severity: value("severity"), group: value("group"),
      session: value("session"), text: value("text"),
    };
    const whole = new Set();
    let count = 0;
    for (const session of sessions) {
      const found = showSession(session, wanted);
      if (found) whole.add(session.number);
      count += found;
    }
    for (const group of all("details.group")) {
      const head = textOf(group.querySelector("summary"));
      const inHead = wanted.text && head.includes(wanted.text);
      const own = inHead ? { ...wanted, text: "" } : wanted;
      const lines = all("tbody tr", group);
      const kept = lines.filter((line) => showLine(line, own, whole));
      group.hidden = kept.length === 0;
    }
    const lines = all("#sessions tbody tr").filter((line) => showLine(line, wanted, whole));
    const isOn = Object.values(wanted).some((text) => text !== "");
    document.getElementById("nothing").hidden = whole.size > 0;
    document.getElementById("filter-said").textContent = !isOn ? "" :
      `${count} findings in ${whole.size} of ${sessions.length} timelines match; ` +
      `${lines.length} sessions in the table match.`;
  };

  const arrive = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (form && target.closest("[hidden]")) {
      form.reset();
      apply();
    }
    openUp(target);
    target.scrollIntoView();
  };
  if (form) {
    let due = 0;
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(due);
      due = setTimeout(apply, 120);
    });
    form.addEventListener("reset", () => setTimeout(apply, 0));
  }
  addEventListener("hashchange", arrive);
  if (location.hash) arrive();
})();
