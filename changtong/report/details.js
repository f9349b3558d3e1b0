"use strict";
// Words about one site or one leg, for the panel beside the map.
const describe = (() => {
  const { data, say, whole, percent, make } = report;
  const { sites, legs } = data;
  const CHANGES = ["same", "more", "less", "opened", "dropped"];
  const legRoom = (leg, view) => view === "before" && leg in legs.roomBefore ? legs.roomBefore[leg] : legs.room[leg];
  const isClosed = (site) => sites.share[site] === 0;
  const loadShare = (pieces, room) => room ? pieces / room : null;
  const legName = (leg) => `${sites.name[legs.from[leg]]} → ${sites.name[legs.to[leg]]}`;
  function loadTable(before, after, roomBefore, room) {
    const line = (key, pieces, limit) => make("tr", [make("th", say(key), { scope: "row" }), make("td", whole(pieces), { class: "n" }),
      make("td", limit === null || limit === undefined ? say("js.unlimited") : whole(limit), { class: "n" }), make("td", percent(loadShare(pieces ?? 0, limit)), { class: "n" })]);
    return make("table", [
      make("thead", make("tr", [make("th", ""), ...["js.pieces", "js.capacity", "js.load"].map((key) => make("th", say(key), { class: "n" }))])),
      make("tbody", [line("js.before", before, roomBefore), line("js.after", after, room)]),
    ]);
  }
  const factLine = (label, value) => make("p", [`${label}: `, make("b", value)]);
  function siteParts(site, leaveMap) {
    const kind = sites.kinds[sites.kind[site]];
    const shut = sites.share[site] === undefined ? null : isClosed(site) ? say("state.closed") : `${say("state.slowed")} ${percent(sites.share[site])}`;
    const parts = [make("h3", sites.name[site]), make("p", [kind ? say(`kind.${kind}`) : null, sites.id[site] === sites.name[site] ? null : sites.id[site], shut].filter(Boolean).join(" · "), { class: "note" }),
      loadTable(sites.before[site], sites.after[site], sites.roomBefore[site], sites.room[site])];
    if (sites.price[site]) parts.push(factLine(say("js.one_more_piece"), `${sites.price[site].toFixed(2)} ${say("js.cny_day")}`));
    for (const end of ["from", "to"]) if (data.unserved[end][site]) parts.push(factLine(say(`js.unserved_${end}`), `${whole(data.unserved[end][site])} ${say("js.pieces")}`));
    const names = (pairs, mine, other) => pairs.filter((pair) => pair[mine] === site).slice(0, 6).map((pair) => sites.name[pair[other]] ?? "–").join(", ");
    if (names(data.standIns, 1, 0)) parts.push(factLine(say("js.stands_in_for"), names(data.standIns, 1, 0)));
    if (names(data.standIns, 0, 1)) parts.push(factLine(say("js.taken_over_by"), names(data.standIns, 0, 1)));
    for (const relay of data.relays) if (relay[0] === site) parts.push(make("p", make("b", say("js.relay_here", { pieces: whole(relay[2]) }))));
    parts.push(...orderParts(site));
    const found = data.changes.site.includes(site);
    if (found) {
      const button = make("button", say("js.see_changes"), { type: "button" });
      button.addEventListener("click", () => { leaveMap(); report.searchChanges(sites.name[site]); });
      parts.push(button);
    }
    return parts;
  }
  function orderParts(site) {
    const rows = [], { orders } = data;
    for (let i = 0; i < orders.site.length; i += 1) if (orders.site[i] === site) rows.push(i);
    if (!rows.length) return [make("p", say("js.no_orders"), { class: "note" })];
    const items = rows.slice(0, 8).map((i) => {
      const words = [say(`action.${orders.actions[orders.action[i]]}`)];
      if (orders.next[i] >= 0) words.push(`→ ${sites.name[orders.next[i]]}`);
      if (orders.n[i]) words.push(say("js.destinations", { count: orders.n[i] }));
      if (orders.pieces[i]) words.push(`${whole(orders.pieces[i])} ${say("js.pieces")}`);
      if (orders.trips[i]) words.push(`+${whole(orders.trips[i])} ${say("orders.trips")}`);
      return make("li", words.join(" · "));
    });
    const more = rows.length > 8 ? [make("p", say("js.more_orders", { count: rows.length - 8 }), { class: "note" })] : [];
    return [make("h4", say("js.site_orders")), make("ul", items), ...more];
  }
  function legParts(leg) {
    const parts = [make("h3", legName(leg)), make("p", say(`js.d_${CHANGES[legs.change[leg]]}`), { class: "note" }),
      loadTable(legs.before[leg], legs.after[leg], legRoom(leg, "before"), legs.room[leg])];
    if (legs.price[leg]) {
      const carried = legs.carried[leg];
      parts.push(factLine(say("js.one_more_piece"), `${legs.price[leg].toFixed(2)} ${say("js.cny_day")}`));
      parts.push(factLine(say("js.one_more_lorry"), `${whole(legs.price[leg] * (carried ?? legs.carriedAssumed))} ${say("js.cny_day")}${carried ? "" : ` (${say("bottlenecks.assumed")})`}`));
    }
    return parts;
  }

  return { CHANGES, legName, legRoom, loadShare, isClosed, siteParts, legParts };
})();
