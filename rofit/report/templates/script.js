"use strict";
const tip = document.getElementById("tip");

function element(name, text, classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

function showTip(nodes, x, y) {
  tip.replaceChildren(...nodes);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const right = x + 14 + box.width > innerWidth - 6;
  tip.style.left = Math.max(6, right ? x - 14 - box.width : x + 14) + "px";
  tip.style.top = Math.max(6, Math.min(y + 12, innerHeight - box.height - 6)) + "px";
}
const hideTip = () => { tip.hidden = true; };

/* Charts: the numbers of the nearest position, by pointer or by arrow keys. */
for (const figure of document.querySelectorAll(".chart")) {
  const svg = figure.querySelector("svg");
  let data, at = -1, cursor;
  const read = () => (data ??= JSON.parse(figure.dataset.chart));
  const show = (k, x, y) => {
    read();
    at = Math.max(0, Math.min(k, data.x.length - 1));
    if (!cursor) {
      cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
      cursor.setAttribute("class", "cursor");
      svg.append(cursor);
    }
    cursor.setAttribute("d", `M${data.x[at]} 10V172`);
    const table = element("table");
    data.names.slice(0, data.drawn).forEach((name, i) => {
      /* of a series without a value here the nearest, and where that is */
      let near = -1;
      data.rows.forEach((row, j) => {
        if (row[i + 1] && (near < 0 || Math.abs(data.x[j] - data.x[at]) < Math.abs(data.x[near] - data.x[at]))) near = j;
      });
      if (near < 0) return;
      const value = data.rows[near][i + 1];
      const row = table.insertRow();
      row.append(element("th", name, data.styles[i]),
        element("td", near === at ? value : `${value} at ${data.rows[near][0]}`));
    });
    const box = svg.getBoundingClientRect();
    showTip([element("b", `${data.label} ${data.rows[at][0]}`), table],
      x ?? box.left + (data.x[at] / 360) * box.width, y ?? box.top + 20);
  };
  const leave = () => { hideTip(); cursor?.remove(); cursor = undefined; };
  svg.addEventListener("pointermove", (event) => {
    read();
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 360;
    let nearest = 0;
    data.x.forEach((place, k) => { if (Math.abs(place - x) < Math.abs(data.x[nearest] - x)) nearest = k; });
    show(nearest, event.clientX, event.clientY);
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (event.key === "Escape") return leave();
    if (!step) return;
    event.preventDefault();
    show(at + step);
  });
}

/* Maps of verdicts: which image a cell is. */
for (const map of document.querySelectorAll(".map")) {
  let data;
  map.addEventListener("pointermove", (event) => {
    data ??= JSON.parse(map.dataset.verdicts);
    const box = map.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * map.naturalWidth);
    const row = Math.floor(((event.clientY - box.top) / box.height) * map.naturalHeight);
    const k = row * map.naturalWidth + column;
    if (!(k in data.index)) return hideTip();
    const label = data.classes[data.class[k]] ?? `class ${data.class[k]}`;
    showTip([element("b", `image ${data.index[k]}`), element("div", `${label}: ${data.names[data.verdict[k]]}`)],
      event.clientX, event.clientY);
  });
  map.addEventListener("pointerleave", hideTip);
}

/* Lists of runs: filter and sort. */
for (const form of document.querySelectorAll(".filter")) {
  const table = form.nextElementSibling;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  form.hidden = rows.length < 2;
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const kept = words.every((word) => text.includes(word)) &&
        ["method", "dataset", "scale", "state"].every((name) => {
          const value = form.elements[name].value;
          return !value || row.dataset[name] === value;
        });
      row.hidden = !kept;
      shown += kept;
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const button = element("button", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const numeric = head.dataset.sort === "number";
      const first = numeric ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first
        ? { ascending: "descending", descending: "ascending" }[first] : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const key = (row) => {
        const text = row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
        return numeric ? parseFloat(text) : text;
      };
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((a, b) => {
        const [one, other] = [key(a), key(b)];
        if (!numeric) return sign * one.localeCompare(other);
        if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
        return sign * (one - other);
      });
      body.append(...rows);
    });
  });
}
addEventListener("keydown", (event) => {
  const search = document.querySelector(".filter:not([hidden]) input");
  if (event.key === "/" && search && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    search.focus();
  }
});

/* Commands: copied where the browser lets us. */
for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "copied";
  });
}

/* Served: the page follows the store. */
const version = document.body.dataset.version;
if (version) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch("/version", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== version) location.reload();
    } catch { /* the server has ended */ }
  }, 5000);
}
