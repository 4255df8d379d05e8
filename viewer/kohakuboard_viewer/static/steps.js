// The slider over the steps that were logged. The server renders what there is at each, as it does without script; at
// the last one the page follows a live run.

import { onKeys } from "./events.js"
import { number } from "./format.js"
import { go, isBehind } from "./links.js"

document.addEventListener("input", ({ target }) => {
  if (!target.matches?.("[data-steps]")) return
  const steps = target.dataset.steps.split(",")
  const step = steps[target.valueAsNumber]
  document.querySelector(".step-now").textContent = number(Number(step))
  go({ step: target.valueAsNumber === steps.length - 1 ? null : step })
})

/** Move the slider to where the page is: what the user dragged overrules the attribute. */
function follow() {
  const slider = document.querySelector("[data-steps]")
  if (slider && !isBehind()) slider.value = slider.getAttribute("value")
}

addEventListener("kobo-patched", follow)
addEventListener("kobo-shown", follow)

/** Go to the step before ("prev") or behind ("next"). */
export function turn(way) {
  document.querySelector(`.step-link[rel=${way}][href]`)?.click()
}

onKeys({ "[": () => turn("prev"), "]": () => turn("next") })
