// Fetches the page every two seconds and puts its <main> in place of the present one. Where the server does not answer, the page says so.
(function () {
  "use strict";
  function open() {
    return Array.from(document.querySelectorAll("main details[open]")).map(function (d) { return d.dataset.id; });
  }
  function refresh() {
    if (document.hidden || document.activeElement.tagName === "INPUT" || String(getSelection())) { return again(); }
    fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } })
      .then(function (r) { if (!r.ok) { throw new Error(r.status); } return r.text(); })
      .then(function (text) {
        var fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
        var unfolded = open();
        fresh.querySelectorAll("details").forEach(function (d) { if (unfolded.indexOf(d.dataset.id) >= 0) { d.open = true; } });
        document.querySelector("main").replaceWith(fresh);
        document.body.classList.remove("lost");
      })
      .catch(function () { document.body.classList.add("lost"); })
      .then(again);
  }
  function again() { setTimeout(refresh, 2000); }
  again();
})();
