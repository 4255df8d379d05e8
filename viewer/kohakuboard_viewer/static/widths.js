// Columns are made wider and narrower at the right edge of their heads, by dragging or by Shift and an arrow key. The
// URL keeps it, and the server renders it, so that a saved view has it, too.

import { onDrag } from "./events.js"
import { refreshPage } from "./live.js"
import { setQuery } from "./view.js"

const EDGE = 10
const STEP = 24
const list = document.getElementById("runs-list")

async function keep(head, width) {
  const key = head.dataset.column
  const others = new URLSearchParams(location.search).getAll("width").filter((each) => each.slice(each.indexOf(":") + 1) !== key)
  setQuery({ width: [...others, `${Math.round(Math.min(Math.max(width, 40), 1200))}:${key}`] })
  await refreshPage()
  head.style.width = head.style.minWidth = head.style.maxWidth = ""
}

onDrag(list, (event) => {
  const head = event.target
  if (!head.matches("th[data-column]") || head.clientWidth - event.offsetX > EDGE) return null
  event.preventDefault()
  let { width } = head.getBoundingClientRect()
  const origin = width - event.clientX
  const move = (moved) => {
    width = Math.max(origin + moved.clientX, 40)
    head.style.width = head.style.minWidth = head.style.maxWidth = `${width}px`
  }
  return { move, end: () => keep(head, width) }
})

list.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key]
  const head = event.target.closest?.("th[data-column]")
  if (!head || !by || !event.shiftKey) return
  event.preventDefault()
  keep(head, head.getBoundingClientRect().width + by)
})
