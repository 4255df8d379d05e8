// What presses of keys and buttons mean, the same on every page.

const TYPED = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range])"

/** Tell whether a click or a key asks for nothing else, such as another tab. */
export function isPlain(event) {
  return !(event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
}

/** Call what a key stands for in `actions`, anywhere but where one types. */
export function onKeys(actions) {
  addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event
    if (!actions[key] || ctrlKey || metaKey || altKey || target.closest?.(TYPED) || document.querySelector("#keys[open]")) return
    event.preventDefault()
    actions[key]()
  })
}

/** Call what `begin` returns for a press on an element, move and end, until the pointer is let go of. */
export function onDrag(element, begin) {
  element.addEventListener("pointerdown", (down) => {
    const drag = begin(down)
    if (!drag) return
    const { target } = down
    target.setPointerCapture(down.pointerId)
    target.addEventListener("pointermove", drag.move)
    const end = (event) => {
      target.removeEventListener("pointermove", drag.move)
      drag.end(event)
    }
    target.addEventListener("lostpointercapture", end, { once: true })
  })
}
