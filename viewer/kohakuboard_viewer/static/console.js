// The output of a run ends at the bottom of its box, and stays there while more comes, unless somebody scrolled up.

const SLACK = 40
const box = () => document.querySelector(".console")

let atEnd = true

function toEnd() {
  const element = box()
  if (element && atEnd) element.scrollTop = element.scrollHeight
}

// Scrolling does not bubble.
document.addEventListener(
  "scroll",
  ({ target }) => {
    if (target === box()) atEnd = target.scrollHeight - target.scrollTop - target.clientHeight < SLACK
  },
  true,
)
document.addEventListener("click", ({ target }) => {
  if (target.id !== "to-end") return
  atEnd = true
  toEnd()
})
addEventListener("kobo-patched", toEnd)
toEnd()
