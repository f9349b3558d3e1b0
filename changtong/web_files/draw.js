// An area drawn on the map: a corner with each click; Enter, a double click or the first corner ends it, Escape gives up.
export function drawArea({ map, set }, done) {
  const corners = [];
  const canvas = map.getCanvas();
  canvas.style.cursor = "crosshair";
  map.doubleClickZoom.disable();
  const ring = (more = []) => [...corners, ...more, corners[0]];
  const show = (more) => set("area", corners.length ? [{ type: "Feature", properties: {}, geometry: corners.length + more.length < 3
    ? { type: "LineString", coordinates: [...corners, ...more, ...(corners.length + more.length < 2 ? [corners[0]] : [])] }
    : { type: "Polygon", coordinates: [ring(more)] } }] : []);
  const at = (event) => [Number(event.lngLat.lng.toFixed(4)), Number(event.lngLat.lat.toFixed(4))];

  function click(event) {
    if (corners.length > 2) {
      const first = map.project(corners[0]);
      if (Math.hypot(first.x - event.point.x, first.y - event.point.y) < 12) { end(true); return; }
    }
    corners.push(at(event));
    show([]);
  }
  const move = (event) => show(corners.length ? [at(event)] : []);
  function key(event) {
    if (event.key === "Escape") end(false);
    if (event.key === "Enter") { event.preventDefault(); end(true); }
  }
  function twice(event) { event.preventDefault(); end(true); }
  function end(kept) {
    map.off("click", click); map.off("mousemove", move); map.off("dblclick", twice);
    removeEventListener("keydown", key);
    canvas.style.cursor = "";
    setTimeout(() => map.doubleClickZoom.enable(), 300);
    const different = corners.filter((corner, k) => !k || String(corner) !== String(corners[k - 1]));
    set("area", []);
    done(kept && different.length > 2 ? { type: "Polygon", coordinates: [[...different, different[0]]] } : null);
  }
  map.on("click", click); map.on("mousemove", move); map.on("dblclick", twice);
  addEventListener("keydown", key);
  return () => end(false);
}
