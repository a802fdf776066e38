// Keeps what moves on the page up to date from one stream of events, and marks what has changed.
(function () {
  "use strict";
  var url = document.body.dataset.live, stream = null;
  function put(id, html) {
    var part = document.getElementById("part-" + id);
    if (!part || part.innerHTML === html) { return; }
    var before = {}, focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.querySelectorAll("[data-mark]").forEach(function (e) { before[e.dataset.mark] = e.textContent; });
    part.innerHTML = html;
    part.querySelectorAll("[data-mark]").forEach(function (e) {
      if (e.dataset.mark in before && before[e.dataset.mark] !== e.textContent) { e.classList.add("changed"); }
    });
    if (focused) { part.querySelectorAll("a").forEach(function (a) { if (a.getAttribute("href") === focused) { a.focus({ preventScroll: true }); } }); }
  }
  function connect() {
    if (!url || stream || document.hidden) { return; }
    stream = new EventSource(url);
    stream.addEventListener("part", function (e) { var p = JSON.parse(e.data); put(p.id, p.html); });
  }
  function leave() { if (stream) { stream.close(); stream = null; } }
  connect();
  document.addEventListener("visibilitychange", function () { if (document.hidden) { leave(); } else { connect(); } });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", connect);
})();
