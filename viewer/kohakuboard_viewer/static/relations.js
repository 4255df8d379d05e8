// The script of the tab that draws what came out against what was set.

import "./parallel.js"
import "./scatter.js"
import { picked } from "./picked.js"

const clear = document.getElementById("clear-brush")

function show() {
  picked.show()
  if (clear) clear.disabled = !picked.any
}

clear?.addEventListener("click", () => picked.clear())
picked.addEventListener("change", show)
addEventListener("kobo-patched", () => {
  picked.read()
  picked.dispatchEvent(new Event("read"))
  show()
})
document.addEventListener("pointerover", (event) => picked.point(event.target.closest?.("[data-run]")?.dataset.run ?? null))
show()
