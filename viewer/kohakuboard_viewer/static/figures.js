// Frames of figures are of no origin and cannot see which theme was chosen here: it is told them behind the #.

const root = document.documentElement

function dress() {
  const theme = root.dataset.theme ?? ""
  for (const frame of document.querySelectorAll(".plotted iframe")) {
    const address = frame.getAttribute("src").replace(/#.*/, "")
    const wanted = theme ? `${address}#${theme}` : address
    if (frame.getAttribute("src") !== wanted) frame.setAttribute("src", wanted)
  }
}

addEventListener("kobo-theme", dress)
addEventListener("kobo-patched", dress)
dress()
