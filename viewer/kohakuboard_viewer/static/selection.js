// How many runs are selected. The style sheet shows what can be done with them.

const form = document.getElementById("runs-list")

function show() {
  const words = document.getElementById("selected")
  const count = form.querySelectorAll("input[name=run]:checked").length
  if (words) words.textContent = count === 1 ? "1 run selected" : `${count} runs selected`
}

form.addEventListener("change", show)
addEventListener("kobo-patched", show)
addEventListener("pageshow", show) // a browser that goes back ticks the boxes again
show()
