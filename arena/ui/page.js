// What Gradio's components lack in the browser: names and roles for screen readers, focus that is not lost when the
// pressed button is disabled, a notice about blocked cookies. Nothing here knows who wrote a reply, and without this
// script battles still work.

const $ = (selector) => document.querySelector(selector);

// Set whenever such an element appears; Gradio keeps attributes that it did not set itself.
const ATTRIBUTES = {
  "#prompt textarea": { dir: "auto", enterkeyhint: "send" },
  "#ready-prompts": { role: "group", "aria-label": "Ready prompts" },
  ".ready-prompt": { dir: "auto" },
  "#box-a": { role: "region", "aria-label": "Reply A" },
  "#box-b": { role: "region", "aria-label": "Reply B" },
  "#votes": { role: "group", "aria-label": "Your vote" },
  "#message": { tabindex: "-1" },
  "#asked": { tabindex: "-1" },
  "#reveal": { role: "region", "aria-label": "Who wrote them", tabindex: "-1" },
  "#leaderboard-plot": { role: "img", "aria-label": "The ratings with their intervals, as in the table above" },
};

function setAttributes() {
  for (const [selector, attributes] of Object.entries(ATTRIBUTES)) {
    for (const element of document.querySelectorAll(selector)) {
      for (const [name, value] of Object.entries(attributes)) {
        if (element.getAttribute(name) !== value) element.setAttribute(name, value);
      }
    }
  }
  for (const side of ["a", "b"]) {
    const isBusy = String($(`#side-${side} .growing`) !== null);
    const box = $(`#box-${side}`);
    if (box && box.getAttribute("aria-busy") !== isBusy) box.setAttribute("aria-busy", isBusy);
  }
}

// Where the focus goes when its button is disabled or hidden: the first of these that is visible and not empty. After a
// vote that is the names, after leaving a battle the prompt of the next one.
const VOTED = ["#reveal", "#message .alert"];
const NEXT = {
  send: ["#asked"],
  "new-battle": ["#prompt textarea"],
  "vote-a": VOTED,
  "vote-b": VOTED,
  "vote-tie": VOTED,
  "vote-both-bad": VOTED,
};
let pressed = null; // id of the button that has, or last had, the focus

document.addEventListener("focusin", (event) => {
  const button = event.target.closest?.("button");
  pressed = button && button.id in NEXT ? button.id : null;
});

function isUsable(element) {
  return element !== null && !element.disabled && element.getClientRects().length > 0;
}

function keepFocus() {
  if (pressed === null || isUsable(document.getElementById(pressed))) return;
  if (document.activeElement && document.activeElement !== document.body && isUsable(document.activeElement)) return;
  const hasText = (element) => element.matches("textarea") || element.textContent.trim() !== "";
  const place = NEXT[pressed].map($).find((element) => isUsable(element) && hasText(element))?.closest("[tabindex], textarea");
  if (!place) return;
  pressed = null;
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "nearest" });
}

// Scroll to a refusal, which may be out of sight on a small screen.
let alerted = "";
function showAlert() {
  const text = $("#message .alert")?.textContent ?? "";
  if (text !== "" && text !== alerted) $("#message").scrollIntoView({ block: "nearest" });
  alerted = text;
}

// Arrows, Home and End move between tabs (tabs pattern of the ARIA Authoring Practices).
document.addEventListener("keydown", (event) => {
  const list = event.target.closest?.('[role="tablist"]');
  if (!list || event.altKey || event.ctrlKey || event.metaKey) return;
  const tabs = [...list.querySelectorAll('[role="tab"]')].filter(isUsable);
  const now = tabs.indexOf(event.target.closest('[role="tab"]'));
  const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (now < 0 || next === undefined) return;
  event.preventDefault();
  const tab = tabs[(next + tabs.length) % tabs.length];
  tab.focus();
  tab.click();
});

new MutationObserver(() => {
  setAttributes();
  keepFocus();
  showAlert();
}).observe(document.documentElement, {
  childList: true,
  characterData: true,
  subtree: true,
  attributes: true,
  attributeFilter: ["disabled", "class"],
});

document.addEventListener("DOMContentLoaded", async () => {
  // Browsers do not always report that they block cookies; the server notices that its cookie did not come back.
  const known = await fetch("gradio_api/app_id").then((answer) => answer.status !== 404, () => true);
  if (!navigator.cookieEnabled || !known) $("#no-cookies").hidden = false; // style.css hides Gradio's own message
});
setAttributes();
