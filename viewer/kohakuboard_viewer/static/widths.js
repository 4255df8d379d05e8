// Columns are made wider and narrower at the right edge of their heads, by dragging or by Shift and an arrow key. The
// URL keeps it, and the server renders it, so that a saved view has it, too.

import { refreshPage } from "./patch.js"

const EDGE = 10
const STEP = 24
const list = document.getElementById("runs-list")

async function keep(head, width) {
  const url = new URL(location.href)
  const key = head.dataset.column
  const others = url.searchParams.getAll("width").filter((each) => each.slice(each.indexOf(":") + 1) !== key)
  url.searchParams.delete("width")
  for (const each of others) url.searchParams.append("width", each)
  url.searchParams.append("width", `${Math.round(Math.min(Math.max(width, 40), 1200))}:${key}`)
  history.replaceState(null, "", url)
  await refreshPage()
  head.style.width = head.style.minWidth = head.style.maxWidth = ""
}

list.addEventListener("pointerdown", (event) => {
  const head = event.target.closest("th[data-column]")
  if (!head || event.target !== head || head.clientWidth - event.offsetX > EDGE) return
  event.preventDefault()
  head.setPointerCapture(event.pointerId)
  const origin = head.getBoundingClientRect().width - event.clientX
  let width = head.getBoundingClientRect().width
  const drag = (moved) => {
    width = Math.max(origin + moved.clientX, 40)
    head.style.width = head.style.minWidth = head.style.maxWidth = `${width}px`
  }
  head.addEventListener("pointermove", drag)
  head.addEventListener("lostpointercapture", () => {
    head.removeEventListener("pointermove", drag)
    keep(head, width)
  }, { once: true })
})

list.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key]
  const head = event.target.closest?.("th[data-column]")
  if (!head || !by || !event.shiftKey) return
  event.preventDefault()
  keep(head, head.getBoundingClientRect().width + by)
})
