// The whole client script. Pages work without it: it adds dialogs in place, toasts, copy buttons and focus.
// No eval, no inline handler, no style attribute: it fits `script-src 'self'; style-src 'self'`.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const on = (event, handler, capture = false) => document.addEventListener(event, handler, capture);

  // ---- Toasts and spoken news ----
  const SUCCESS_STAYS_MS = 8000;
  const ICONS = { ok: "circle-check", warn: "alert-triangle", bad: "alert-circle" };

  function say(text) {
    const live = $("#live");
    live.textContent = "";
    // Emptied first, in a turn of its own: the same words twice are spoken twice.
    setTimeout(() => { live.textContent = text; }, 60);
  }

  function toast(kind, text) {
    const dialog = $("dialog[open]");
    if (dialog && kind !== "ok") { tellInside(dialog, text); return; } // the page behind a dialog is inert
    const box = $("#toast-template").content.firstElementChild.cloneNode(true);
    const use = $("use", box);
    box.classList.add(kind);
    use.setAttribute("href", `${use.dataset.sprite}#${ICONS[kind] || ICONS.warn}`);
    $("p", box).textContent = text;
    $("#toasts").append(box);
    if (kind === "ok") fade(box);
    say(text);
  }

  function fade(box) {
    setTimeout(() => { if (box.matches(":hover, :focus-within")) fade(box); else box.remove(); }, SUCCESS_STAYS_MS);
  }

  function tellInside(dialog, text) {
    $(".told", dialog)?.remove();
    const line = document.createElement("div");
    line.className = "note bad told";
    line.setAttribute("role", "alert");
    line.textContent = text;
    ($(".body", dialog) || dialog).prepend(line);
  }

  on("toast", (event) => toast(event.detail.kind, event.detail.text));
  on("say", (event) => say(event.detail.text ?? event.detail.value));
  on("refocus", (event) => setTimeout(() => document.getElementById(event.detail.id)?.focus(), 0));

  // ---- Clicks ----
  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      toast("ok", button.dataset.copied || "Copied");
    } catch {
      toast("warn", "The browser did not allow copying. Select the text instead.");
    }
  }

  function drawer(open) {
    const button = $("[data-drawer]");
    if (!button) return;
    $("#side").classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
    if (open) $("#side a").focus();
  }

  on("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    if (at("[aria-disabled=true]")) { event.preventDefault(); event.stopPropagation(); return; }
    if (at("[data-copy]")) copy(at("[data-copy]"));
    if (at("[data-dismiss]")) at(".toast").remove();
    if (at("[data-close]") && at("dialog")) { event.preventDefault(); at("dialog").close(); }
    if (at("[data-print]")) window.print();
    const button = at("[data-drawer]");
    if (button) { event.preventDefault(); drawer(button.getAttribute("aria-expanded") !== "true"); }
    else if (!at("#side") && $("#side.open")) drawer(false);
  }, true);

  on("keydown", (event) => {
    if (event.key === "Escape" && $("#side.open")) { drawer(false); $("[data-drawer]").focus(); }
    if (event.key === "/" && !event.target.closest("input, textarea, select, dialog")) {
      const filter = $("[data-filter]");
      if (filter) { event.preventDefault(); filter.focus(); }
    }
    if (event.key === " " && event.target.matches?.("a[role=button]")) { event.preventDefault(); event.target.click(); }
  });

  // Select all rows of a grid, and say beside the button how many.
  on("change", (event) => {
    const all = event.target.closest("[data-check-all]");
    const form = event.target.form;
    if (!form || !event.target.matches("[type=checkbox]")) return;
    const rows = [...form.elements].filter((box) => box.matches?.("[data-row]"));
    if (all) rows.forEach((box) => { box.checked = all.checked; });
    const count = rows.filter((box) => box.checked).length;
    const head = $("[data-check-all]", form);
    if (head) { head.checked = rows.length > 0 && count === rows.length; head.indeterminate = count > 0 && !head.checked; }
    form.querySelectorAll("[data-count]").forEach((label) => { label.textContent = count ? `(${count})` : ""; });
  });

  // ---- A form is sent once ----
  on("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post") || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
    setTimeout(() => release(form), 10_000); // an answer that is a download leaves the page as it is
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach(release);
  });
  function release(form) {
    delete form.dataset.sent;
    form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
  }
  on("htmx:beforeRequest", (event) => {
    if (event.detail.requestConfig.verb === "get") return;
    if (event.detail.elt.dataset.sent) event.preventDefault(); else event.detail.elt.dataset.sent = "yes";
  });
  on("htmx:afterRequest", (event) => { delete event.detail.elt.dataset.sent; });

  // ---- htmx ----
  on("htmx:configRequest", (event) => {
    const token = $("meta[name=csrf-token]")?.content;
    if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token;
  });
  // What the page asks for by itself is asked for again, else one lost answer leaves it standing still for ever.
  const ASK_AGAIN_MS = 5000;
  let away = false;
  function askAgain({ elt, requestConfig, xhr }) {
    if (!elt.getAttribute("hx-trigger")?.includes("load delay") || (xhr.status && xhr.status < 500)) return false;
    setTimeout(() => elt.isConnected && htmx.ajax("GET", requestConfig.path, { source: elt }), ASK_AGAIN_MS);
    if (!away) toast("warn", "The server does not answer. This page asks again until it does.");
    away = true;
    return true;
  }
  on("htmx:afterRequest", (event) => { if (event.detail.successful) away = false; });
  on("htmx:responseError", (event) => {
    if (askAgain(event.detail)) return;
    if (event.detail.xhr.getResponseHeader("HX-Trigger")) return; // the server says it in its own words
    toast("bad", "The server could not finish that. Look at the page again before you repeat it.");
  });
  on("htmx:sendError", (event) => {
    if (!askAgain(event.detail)) toast("bad", "The server cannot be reached. Check the connection, then try again.");
  });

  // A <dialog> swapped into #modal opens itself; the focus goes back to what opened it.
  let opener = null;
  on("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id === "modal") opener = event.detail.elt;
  });
  on("htmx:load", (event) => { // after an outerHTML swap only `elt` is in the page
    const part = event.detail.elt;
    const dialog = part.matches?.("#modal > dialog") ? part : null;
    if (dialog) open(dialog);
    focusOnError(part);
  });

  function open(dialog) {
    const from = opener;
    // A menu that held the opener has closed by now: its button takes the focus.
    const back = from?.closest("[popover]") ? $(`[popovertarget="${from.closest("[popover]").id}"]`) : from;
    dialog.showModal();
    $("h2", dialog)?.focus();
    dialog.addEventListener("close", () => { dialog.remove(); (back?.isConnected ? back : $("#main")).focus(); });
  }

  function focusOnError(part) {
    (part.querySelector?.("[aria-invalid=true]") || part.querySelector?.(".summary"))?.focus();
  }
  focusOnError(document);

  // ---- The clock in the top bar goes by the server's time, whatever this machine thinks ----
  const clock = $(".tz time");
  if (clock) {
    const ahead = Date.parse(clock.dateTime) - Date.now();
    setInterval(() => {
      const text = new Date(Date.now() + ahead).toUTCString(); // "Sat, 21 Nov 2026 22:40:05 GMT"
      clock.textContent = text.replace(/^\w+, 0?(\d+ \w+ \d+) (\d+:\d+):.*$/, "$1, $2 UTC");
    }, 5000);
  }

  // ---- Menus where the browser cannot anchor a popover ----
  if (!CSS.supports("position-area", "bottom")) {
    on("toggle", (event) => {
      const menu = event.target;
      if (!menu.matches?.(".menu") || event.newState !== "open") return;
      const box = $(`[popovertarget="${menu.id}"]`).getBoundingClientRect();
      menu.style.top = `${Math.min(box.bottom, innerHeight - menu.offsetHeight - 8)}px`;
      menu.style.left = `${Math.max(8, box.right - menu.offsetWidth)}px`;
    }, true);
  }
  // A choice made in a menu closes it.
  on("click", (event) => {
    const menu = event.target.closest(".menu[popover]");
    if (menu && event.target.closest("a, button")) setTimeout(() => menu.isConnected && menu.matches(":popover-open") && menu.hidePopover(), 0);
  });
})();
