// Keeps the page up to date from one stream of events, and makes "12 s ago" of times. Without it the page reloads itself.
(function () {
  "use strict";
  var url = document.body.dataset.live, stream = null, heard = Date.now(), waiting = {}, polls = 0;

  function span(ms) {
    var s = Math.max(0, Math.floor(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (s < 60) { return s + " s"; }
    if (m < 60) { return m + " min"; }
    if (h < 24) { return h + " h" + (m % 60 ? " " + (m % 60) + " min" : ""); }
    return d + " d" + (h % 24 ? " " + (h % 24) + " h" : "");
  }
  function times(root) {
    root.querySelectorAll("time[data-ago],time[data-for]").forEach(function (t) {
      var ms = Date.now() - Date.parse(t.dateTime), ago = "ago" in t.dataset;
      t.textContent = ago ? (ms < 2000 && ms > -2000 ? "now" : ms < 0 ? "in " + span(-ms) : span(ms) + " ago") : "for " + span(ms);
    });
  }
  // Somebody types, or marks text, or has ticked something here: it stays as it is until they are done.
  function busy(part) {
    var at = document.activeElement;
    if (at && part.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) { return true; }
    var marked = getSelection();
    if (marked && String(marked) && part.contains(marked.anchorNode)) { return true; }
    return Array.prototype.some.call(part.querySelectorAll("input:not([type=hidden])"), function (i) {
      return i.type === "checkbox" ? i.checked !== i.defaultChecked : i.value !== i.defaultValue;
    });
  }
  function put(id, html) {
    var part = document.getElementById("part-" + id);
    if (!part) { location.reload(); return; }
    if (busy(part)) { waiting[id] = html; return; }
    delete waiting[id];
    var focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null, open = {};
    part.querySelectorAll("details[data-id]").forEach(function (d) { open[d.dataset.id] = d.open; });
    part.innerHTML = html;
    part.querySelectorAll("details[data-id]").forEach(function (d) { if (d.dataset.id in open) { d.open = open[d.dataset.id]; } });
    if (focused) { part.querySelectorAll("a").forEach(function (a) { if (a.getAttribute("href") === focused) { a.focus({ preventScroll: true }); focused = null; } }); }
    times(part);
  }
  function alive() { heard = Date.now(); document.body.classList.remove("lost"); }
  function connect() {
    if (stream || document.hidden) { return; }
    stream = new EventSource(url);
    stream.addEventListener("part", function (e) { alive(); var p = JSON.parse(e.data); put(p.id, p.html); });
    stream.addEventListener("only", function (e) {
      alive();
      var ids = JSON.parse(e.data);
      document.querySelectorAll(".part").forEach(function (p) { var id = p.id.replace("part-", ""); if (ids.indexOf(id) < 0) { put(id, ""); } });
    });
    stream.addEventListener("beat", alive);
    stream.addEventListener("gone", function () { location.reload(); });
    stream.onerror = function () {
      if (stream && stream.readyState === EventSource.CLOSED) { leave(); poll(); } // refused, not broken off
    };
  }
  function leave() { if (stream) { stream.close(); stream = null; } }
  // Where there is no stream the whole page is fetched every few seconds.
  function poll() {
    if (polls) { return; }
    polls = setInterval(function () {
      if (document.hidden) { return; }
      fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } })
        .then(function (r) { if (!r.ok) { throw new Error(r.status); } return r.text(); })
        .then(function (text) {
          new DOMParser().parseFromString(text, "text/html").querySelectorAll(".part, nav").forEach(function (p) { put(p.id.replace("part-", ""), p.innerHTML); });
          alive();
        }).catch(function () {});
    }, 5000);
  }
  if (url && window.EventSource) {
    connect();
    document.addEventListener("visibilitychange", function () { if (document.hidden) { leave(); } else { heard = Date.now(); connect(); } });
    addEventListener("pagehide", leave);
  }
  times(document);
  setInterval(function () {
    times(document);
    Object.keys(waiting).forEach(function (id) { put(id, waiting[id]); });
    if (url && !document.hidden && Date.now() - heard > 15000) { document.body.classList.add("lost"); }
  }, 1000);
})();
