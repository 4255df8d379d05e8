// The slider over the steps that were logged. The server renders what there is at each, as it does without script; at
// the last one the page follows a live run.

import { go, isBehind } from "./links.js"

const slider = () => document.querySelector("[data-steps]")

document.addEventListener("input", (event) => {
  const { target } = event
  if (!target.matches?.("[data-steps]")) return
  const steps = target.dataset.steps.split(",")
  const step = steps[target.valueAsNumber]
  say(Number(step))
  go({ step: target.valueAsNumber === steps.length - 1 ? null : step })
})

function say(step) {
  document.querySelector(".step-now").textContent = step.toLocaleString("en-US").replaceAll(",", "\u202f")
}

/** Move the slider to where the page is: what the user dragged overrules the attribute. */
function follow() {
  const input = slider()
  if (input && !isBehind()) input.value = input.getAttribute("value")
}

addEventListener("kobo-patched", follow)
addEventListener("kobo-shown", follow)

// [ and ] go to the step before and behind, from anywhere on the page.
addEventListener("keydown", (event) => {
  const way = { "[": "prev", "]": "next" }[event.key]
  const typing = event.target.closest?.("input:not([type=range]), textarea, select")
  if (!way || typing || event.ctrlKey || event.metaKey || event.altKey) return
  document.querySelector(`.step-link[rel=${way}][href]`)?.click()
})

// Forms that say what to look at are followed as they are filled in.
document.addEventListener("input", ({ target }) => {
  const form = target.form?.matches("[data-follow]") ? target.form : null
  if (form?.reportValidity()) go(Object.fromEntries(new FormData(form)))
})
