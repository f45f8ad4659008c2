"use strict";
// Zooms the picture and the table to a stretch of time. The page is whole without it.
(() => {
  const picture = document.getElementById("picture");
  const strip = document.getElementById("overview");
  const shade = document.getElementById("window");
  const shown = document.getElementById("shown");
  const box = picture.parentElement;
  const end = Number(strip.dataset.end) || 1;
  const width = Number(picture.getAttribute("width"));
  const whole = Number(picture.getAttribute("height"));
  const number = (element, name) => Number(element.getAttribute(name));
  const rows = [...picture.querySelectorAll(".row")].map((element) => ({
    element,
    t: Number(element.dataset.t),
    y: Number(/ ([\d.]+)\)/.exec(element.getAttribute("transform"))[1]),
    lane: element.dataset.lane,
    time: element.querySelector(".time"),
    isEvidence: element.classList.contains("evidence"),
  }));
  const lines = [...picture.querySelectorAll("line")].map((element) => [element, number(element, "y1"), number(element, "y2")]);
  const boxes = [...picture.querySelectorAll("rect.trouble, rect.band")].map((element) => [element, number(element, "y"), number(element, "height")]);
  const marks = [...picture.querySelectorAll(".mark")].map((element) => [element, number(element, "y"), number(element, "height") / 2]);
  const entries = [...document.querySelectorAll("tbody tr")].map((element) => [element, Number(element.dataset.t)]);
  const ROW = 13;
  let from = 0;
  let to = end;

  // The lowest row of each instant; between two, time runs evenly.
  const instants = [];
  for (const { t, y } of rows) {
    const last = instants[instants.length - 1];
    if (last && last.t === t) last.y = Math.max(last.y, y);
    else instants.push({ t, y });
  }
  const placeOf = (time) => {
    if (time <= 0) return 0;
    if (time >= end) return whole;
    let before = { t: 0, y: 0 };
    for (const now of instants) {
      if (now.t > time) return before.y + ((now.y - before.y) * (time - before.t)) / (now.t - before.t);
      before = now;
    }
    return whole;
  };

  const draw = () => {
    const isWhole = from <= 0 && to >= end;
    const top = placeOf(from);
    const bottom = Math.max(placeOf(to), top + 1);
    const scale = isWhole ? 1 : Math.min(Math.max((innerHeight * 0.7) / (bottom - top), 0.2), 40);
    for (const [element, y1, y2] of lines) {
      const isLife = element.classList.contains("life");
      element.setAttribute("y1", isLife ? 0 : y1 * scale);
      element.setAttribute("y2", isLife ? whole * scale : y2 * scale);
    }
    for (const [element, y, height] of boxes) {
      element.setAttribute("y", y * scale);
      element.setAttribute("height", height * scale);
    }
    for (const [element, y, half] of marks) element.setAttribute("y", (y + half) * scale - half);
    const last = new Map();
    let lastTime = -Infinity;
    for (const row of rows) {
      const y = row.y * scale;
      row.element.setAttribute("transform", `translate(0 ${y})`);
      // Where there is no room, words give way; what contradicts never does.
      const isCrowded = y - (last.get(row.lane) ?? -Infinity) < ROW;
      row.element.style.display = isCrowded && !row.isEvidence ? "none" : "";
      if (!isCrowded) last.set(row.lane, y);
      if (row.time && !isCrowded) {
        row.time.style.display = y - lastTime < ROW ? "none" : "";
        if (y - lastTime >= ROW) lastTime = y;
      }
    }
    const margin = isWhole ? 0 : 12;
    const height = (bottom - top) * scale + 2 * margin;
    picture.setAttribute("viewBox", `0 ${top * scale - margin} ${width} ${height}`);
    picture.setAttribute("height", height);
    for (const [element, time] of entries) element.hidden = time < from || time > to;
    shade.setAttribute("x", (from / end) * 1000);
    shade.setAttribute("width", isWhole ? 0 : ((to - from) / end) * 1000);
    shown.textContent = `${(from / 1e6).toFixed(3)} to ${(to / 1e6).toFixed(3)} s`;
  };

  const choose = (start, stop) => {
    const least = Math.max(end / 2000, 1000);
    from = Math.max(0, Math.min(start, end - least));
    to = Math.min(end, Math.max(stop, from + least));
    draw();
  };
  const zoom = (factor) => {
    const middle = (from + to) / 2;
    const half = ((to - from) / 2) * factor;
    choose(middle - half, middle + half);
  };
  const acts = { whole: () => choose(0, end), in: () => zoom(0.5), out: () => zoom(2) };
  const controls = document.getElementById("zoom");
  controls.hidden = false;
  controls.addEventListener("click", (event) => acts[event.target.dataset.zoom]?.());

  const timeAt = (event) => {
    const area = strip.getBoundingClientRect();
    return ((event.clientX - area.left) / area.width) * end;
  };
  let begun = null;
  strip.addEventListener("pointerdown", (event) => {
    if (event.target.closest("a")) return;
    begun = timeAt(event);
    strip.setPointerCapture(event.pointerId);
  });
  strip.addEventListener("pointermove", (event) => {
    if (begun === null) return;
    const now = timeAt(event);
    shade.setAttribute("x", (Math.min(begun, now) / end) * 1000);
    shade.setAttribute("width", (Math.abs(now - begun) / end) * 1000);
  });
  strip.addEventListener("pointerup", (event) => {
    if (begun === null) return;
    const now = timeAt(event);
    const isClick = Math.abs(now - begun) < end / 200;
    if (isClick) choose(begun - end / 20, begun + end / 20);
    else choose(Math.min(begun, now), Math.max(begun, now));
    begun = null;
    box.scrollTop = 0;
  });

  // A link to what is not shown just now shows it.
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    const time = Number(target?.dataset.t);
    if (!target || Number.isNaN(time)) return;
    if (time < from || time > to) acts.whole();
    target.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", reveal);
  draw();
  reveal();
})();
