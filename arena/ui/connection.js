// What keeps the page going when the connection does not. Gradio reloads the page once a request has failed, and the
// server brings the battle back. Left to do here: keep what was typed over a reload, notice a connection that died
// without saying so (a laptop that slept), and look again when another tab may have moved on.

const DRAFT = "draft"; // of this tab alone
const SILENCE = 8000; // ms without a word from the server while a message counts seconds
const UNANSWERED = 2000; // ms after a click without an effect until the server is asked whether it is there
const SLEPT = 15000; // ms between two ticks of a clock that ticks every second

const box = () => document.querySelector("#prompt textarea");
const running = () => document.querySelector("#message [data-seconds]");

const draft = sessionStorage.getItem(DRAFT);
sessionStorage.removeItem(DRAFT);
if (draft && box() && !box().value) {
  box().value = draft;
  box().dispatchEvent(new Event("input", { bubbles: true }));
}
window.addEventListener("pagehide", () => sessionStorage.setItem(DRAFT, box()?.value ?? ""));

// A click that went while the connection was lost did not arrive, and the page that comes back does not know of it.
const SENT = "sent";
const enabled = (selector) => document.querySelector(selector)?.disabled === false;
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#votes button, #send");
  if (!button) return;
  sessionStorage.setItem(SENT, button.id === "send" ? "prompt" : "vote");
  setTimeout(async () => sessionStorage.getItem(SENT) && !(await appId().catch(() => null)) && comeBack(), UNANSWERED);
});
const noteWhatWasLost = () => {
  const lost = sessionStorage.getItem(SENT);
  if (lost === "vote" ? !enabled("#vote-a") : !enabled("#send") || !box()?.value) return false;
  const note = document.createElement("p");
  note.className = "hint lost";
  note.textContent = `The connection was lost before your ${lost} arrived: ${lost === "vote" ? "choose" : "send it"} again.`;
  document.querySelector("#message [role=status]")?.append(note);
  return true;
};
// Seconds in which a page that was loaded with an answer outstanding gets its battle back.
let left = sessionStorage.getItem(SENT) === null ? 0 : 5;
const watchWhatWasSent = () => {
  if (left > 0) {
    left = noteWhatWasLost() ? 0 : left - 1;
    if (left === 0) sessionStorage.removeItem(SENT);
  } else if (running() || document.querySelector("#reveal .card, #message .alert")) sessionStorage.removeItem(SENT);
};

const appId = async () => {
  const root = window.gradio_config?.root ?? "";
  const answer = await fetch(`${root}/gradio_api/app_id`, { signal: AbortSignal.timeout(2500) });
  return (await answer.json()).app_id;
};

let isComingBack = false;
const comeBack = async () => {
  if (isComingBack) return;
  isComingBack = true;
  const note = document.createElement("p");
  note.className = "alert lost";
  note.textContent = "The connection is lost. The page goes on by itself as soon as it is back.";
  document.querySelector("#message [role=alert]")?.replaceChildren(note);
  while (!(await appId().catch(() => null))) await new Promise((resolve) => setTimeout(resolve, 500));
  window.location.reload();
};

let lastTick = Date.now();
let lastWord = Date.now();
let said = "";
setInterval(() => {
  const now = Date.now();
  const words = running()?.textContent ?? "";
  // A tab in the background has a slow clock, and nobody who waits.
  if (words !== said || !words || document.visibilityState === "hidden") [said, lastWord] = [words, now];
  else if (now - lastTick > SLEPT || now - lastWord > SILENCE) comeBack();
  lastTick = now;
  watchWhatWasSent();
}, 1000);

document.addEventListener("visibilitychange", async () => {
  lastTick = Date.now();
  if (document.visibilityState === "hidden" || running()) return;
  const id = await appId().catch(() => null);
  // Another version of the server may give other numbers to the page's events.
  if (id && id !== window.gradio_config?.app_id) window.location.reload();
  else if (id) document.querySelector("#look-again")?.click();
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
