"use strict";
// The county's map: which answer is shown, moving and zooming. All is drawn in the page; nothing is loaded.
(() => {
  const map = document.getElementById("county-map");
  const answer = document.getElementById("answer");
  const layers = [...map.querySelectorAll(".layer")];
  const home = map.getAttribute("viewBox").split(" ").map(Number);
  let view = [...home];

  function show() {
    for (const layer of layers) layer.classList.toggle("off", layer.dataset.layer !== answer.value);
  }
  answer.addEventListener("change", show);
  report.onChange(() => {
    for (const option of answer.options) option.textContent = option.dataset[document.documentElement.dataset.language];
  });
  if (report.wanted.get("answer")) { answer.value = report.wanted.get("answer"); show(); }

  function place(next) {
    const wide = Math.min(home[2], Math.max(home[2] / 40, next[2]));
    const high = wide * home[3] / home[2];
    view = [
      Math.min(home[0] + home[2] - wide, Math.max(home[0], next[0])),
      Math.min(home[1] + home[3] - high, Math.max(home[1], next[1])), wide, high,
    ];
    map.setAttribute("viewBox", view.join(" "));
    map.style.setProperty("--k", String(wide / home[2])); // marks keep their size on the screen
  }
  function zoom(factor, x = view[0] + view[2] / 2, y = view[1] + view[3] / 2) {
    const wide = Math.min(home[2], Math.max(home[2] / 40, view[2] / factor));
    const kept = wide / view[2];
    place([x - (x - view[0]) * kept, y - (y - view[1]) * kept, wide]);
  }
  function point(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    return [at.x, at.y];
  }
  document.getElementById("zoom-in").addEventListener("click", () => zoom(1.6));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(1 / 1.6));
  document.getElementById("home").addEventListener("click", () => place([...home]));
  map.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, ...point(event));
  }, { passive: false });
  map.addEventListener("dblclick", (event) => zoom(1.6, ...point(event)));
  let held = null;
  map.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held = point(event);
    map.setPointerCapture(event.pointerId);
    map.classList.add("dragging");
  });
  map.addEventListener("pointermove", (event) => {
    if (!held) return;
    const now = point(event);
    place([view[0] + held[0] - now[0], view[1] + held[1] - now[1], view[2]]);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    map.addEventListener(name, () => { held = null; map.classList.remove("dragging"); });
  }
  report.start();
})();
